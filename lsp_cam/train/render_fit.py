"""Training of a subject's renderer on a tracked clip, and its files for the bundle (section 3.4)."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import torch

from lsp_cam.errors import ModelError, UsageError
from lsp_cam.train import checkpoint, render_gan, render_lite
from lsp_cam.train.export_render import SMALLEST_SIZE
from lsp_cam.train.halve import halved
from lsp_cam.train.render_data import Footage, open_footage
from lsp_cam.train.render_gan import GanConfig, GanJob
from lsp_cam.train.render_lite import LiteConfig, LiteJob
from lsp_cam.train.render_loop import Job, Pace, train
from lsp_cam.train.synthetic import cache_footage, read_tracked

Renderer = Literal["lite", "normal", "large", "plain"]
Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Config:
    """What to train, how long and where; `out` gets checkpoints, curves (CSV) and a sheet of validation pictures.

    `steps` and `batch` default to the renderer's own; `minutes` takes the place of `steps`. The clip's last part, from
    `train_share` on, validates.
    """

    out: Path
    renderer: Renderer = "lite"
    steps: int | None = None
    minutes: float | None = None
    batch: int | None = None
    device: Device = "auto"
    train_share: float = 0.8
    seed: int = 1
    threads: int = 2
    save_every: int = 100
    check_every: int = 500
    checks: int = 12
    lite: LiteConfig = field(default_factory=LiteConfig)
    gan: GanConfig = field(default_factory=GanConfig)


def device_of(name: Device) -> torch.device:
    """The device that a user has named; UsageError if it is not there."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UsageError("PyTorch finds no graphics card here. Use --device cpu, or install PyTorch with CUDA.")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def fit(footage: Footage, config: Config, say: Callable[[str], None] = print) -> Path:
    """Train, going on from `config.out` if there is something; returns the file of the best renderer.

    Raises UsageError for a device that is not there, or a size that the renderer cannot make, ModelError if memory
    does not suffice.
    """
    device = device_of(config.device)
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    last = max(1, int(len(footage.frames) * config.train_share))
    try:
        job, steps = _job(footage, last, config, device, say)
        if config.batch is not None:
            job.batch = config.batch
        pace = Pace(config.steps or steps, config.minutes, config.save_every, config.check_every)
        return train(job, config.out, pace, say)
    except torch.OutOfMemoryError as error:  # `train` makes batches smaller; nothing else can be
        raise ModelError(
            "There is too little memory for the renderer itself. Choose --size 256, --renderer lite or --device cpu."
        ) from error


def _job(
    footage: Footage, last: int, config: Config, device: torch.device, say: Callable[[str], None]
) -> tuple[Job, int]:
    """The job, and how many steps it takes by default."""
    where = device, config.seed, config.checks, config.out
    if config.renderer == "lite":
        return LiteJob(footage, last, config.lite, *where), config.lite.steps
    if footage.side % SMALLEST_SIZE:
        raise UsageError(f"The renderer '{config.renderer}' makes pictures of 256 or 512 pixels. Choose --size 256.")
    return GanJob(footage, last, config.renderer, config.gan, *where, say), config.gan.steps


def files(best: Path) -> dict[str, bytes]:
    """The bundle's files of a trained renderer, by name, networks in half floats or less; `best`: what `fit` returned.

    A renderer that takes candidate images brings them along: those that it was trained with.
    """
    state = torch.load(best, weights_only=True, map_location="cpu")
    made = (render_lite if state["renderer"] == "lite" else render_gan).bundle_files(state)
    return {name: halved(data) if name.endswith(".onnx") else data for name, data in made.items()}


def main() -> None:
    """Train on the synthetic footage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="shared/data/synthetic")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache/footage.rgb"))
    parser.add_argument("--out", type=Path, default=Path("runs/render"))
    parser.add_argument("--renderer", choices=get_args(Renderer), default="lite")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, default=Config.threads)
    o = parser.parse_args()
    frames = cache_footage(o.folder / "footage.mp4", o.cache)
    footage = open_footage(read_tracked(o.folder), frames)
    config = Config(o.out, o.renderer, o.steps, o.minutes, device=o.device, threads=o.threads)
    fit(footage, replace(config, train_share=0.85))


if __name__ == "__main__":
    main()
