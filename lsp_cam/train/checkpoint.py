"""Checkpoints that survive a kill at any moment, and the curves beside them."""

import io
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from lsp_cam.train import ranks


def seed_everything(seed: int) -> None:
    """Seed torch, numpy and python."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def save(
    path: Path,
    step: int,
    model: nn.Module,
    optimizer: Optimizer,
    rng: np.random.Generator | None,
    *,
    by_all: bool = False,
) -> None:
    """Write everything that the next step depends on; the file is either the old or the new one, never half.

    by_all: all ranks (`train.ranks`) call it, and the first writes; otherwise it is the business of one.
    """
    drawn = chance(rng, by_all=by_all)
    if by_all and not ranks.is_first():
        return
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        **drawn,
    }
    write_whole(path, state)


def resume(
    path: Path, model: nn.Module, optimizer: Optimizer, rng: np.random.Generator | None, *, by_all: bool = False
) -> int:
    """Load what `save` wrote, if there is any; returns the number of steps already done."""
    there = path.exists()
    if not (ranks.agreed(there) if by_all else there):
        return 0
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    restore_chance(state, rng)
    return int(state["step"])


def chance(rng: np.random.Generator | None, *, by_all: bool) -> dict[str, Any]:
    """Where chance is in its course; `by_all`: on every rank."""
    own = rng.bit_generator.state if rng else None
    states = ranks.gathered(own) if by_all else [own]
    return {"rng": states[0], "rngs_of_others": states[1:], "torch_rng": torch.get_rng_state()}


def restore_chance(state: dict[str, Any], rng: np.random.Generator | None) -> None:
    """Go on with chance from where `chance` found it; a rank that was not there begins anew."""
    others = state.get("rngs_of_others", [])
    if rng and ranks.is_first():
        rng.bit_generator.state = state["rng"]
    elif rng:
        known = ranks.number() <= len(others)
        rng.bit_generator.state = others[ranks.number() - 1] if known else ranks.own(rng).bit_generator.state
    torch.set_rng_state(state["torch_rng"])


def load_model(path: Path, model: nn.Module) -> None:
    """Load only the weights of a checkpoint."""
    model.load_state_dict(torch.load(path, weights_only=True)["model"])


def save_if_best(path: Path, score: float, model: dict[str, torch.Tensor]) -> bool:
    """Keep the weights at `path` if nothing there validated as low; the file is the old one or the new, never half."""
    if path.exists() and float(torch.load(path, weights_only=True)["score"]) <= score:
        return False
    write_weights(path, model, score=score)
    return True


def write_weights(path: Path, model: dict[str, torch.Tensor], **facts: float) -> None:
    """Write weights, and facts beside them, whole or not at all."""
    write_whole(path, {**facts, "model": model})


def write_whole(path: Path, state: dict[str, Any]) -> None:
    """Write a file that `torch.load` reads, whole or not at all.

    By way of memory: of a full disk torch's own writer tells no more than that something went wrong.
    """
    made = io.BytesIO()
    torch.save(state, made)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(made.getbuffer())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    os.replace(partial, path)


def log_row(path: Path, **values: float) -> None:
    """Append one line to a CSV of training curves, with a header when the file is new."""
    fresh = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as out:
        if fresh:
            out.write(",".join(values) + "\n")
        out.write(",".join(f"{value:.6g}" for value in values.values()) + "\n")


def cosine_rate(step: int, steps: int, highest: float, lowest: float, warmup: int = 20) -> float:
    """Learning rate: a short linear start, then half a cosine from `highest` to `lowest`."""
    if step < warmup:
        return highest * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, steps - warmup))
    return float(lowest + 0.5 * (highest - lowest) * (1 + np.cos(np.pi * share)))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate; a parameter group may scale it by its own `scale`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)
