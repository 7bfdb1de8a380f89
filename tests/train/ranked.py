"""What each rank runs in `test_ranks.py`: a line fitted to points of its own chance, in two goes and in one."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lsp_cam.train import checkpoint, ranks, speech_tune
from lsp_cam.train.lanes import Spoken
from lsp_cam.train.models.speech import SpeechForesight
from lsp_cam.train.precision import Precision
from lsp_cam.train.render_loop import Pace, train

STEPS, BATCH, RATE = 6, 4, 0.1


class Line:
    """A job: see `render_loop.Job`. `drawn` are the points (x, y) that it was trained on."""

    def __init__(self) -> None:
        self.batch, self.rng = BATCH, np.random.default_rng(5)
        self.model = nn.Linear(1, 1)
        self.drawn: list[Any] = []
        self._optimizer = torch.optim.SGD(self.model.parameters(), RATE)
        self._precision = Precision(torch.device("cpu"))
        if not ranks.is_first():
            nn.init.constant_(self.model.weight, 99.0)  # every rank has to begin with what the first has

    def begin(self) -> None:
        nn.init.zeros_(self.model.weight)
        nn.init.zeros_(self.model.bias)

    def step(self, step: int, steps: int) -> dict[str, float]:
        x = self.rng.normal(size=(self.batch, 1)).astype(np.float32)
        y = 3 * x + 1 + self.rng.normal(size=x.shape).astype(np.float32)
        self.drawn.append(np.concatenate([x, y], axis=1))
        loss = nn.functional.mse_loss(self.model(torch.from_numpy(x)), torch.from_numpy(y))
        self._precision.descend(loss, self._optimizer)
        return {"loss": loss.item()}

    def check(self) -> dict[str, float]:
        return {"psnr_db": 0.0, "ssim": 0.0}

    def state(self) -> dict[str, Any]:
        return self.model.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state)

    def trained(self) -> dict[str, Any]:
        return {}

    @property
    def line(self) -> list[float]:
        return [self.model.weight.item(), self.model.bias.item()]


def tune(out: Path) -> Path:
    """Encoder and mouth tuned for two steps on made-up speech."""
    checkpoint.seed_everything(2)
    mel = np.random.default_rng(3).random((60, 80)).astype(np.float16)
    spoken = Spoken(mel, np.repeat(mel[::2, :1], 75, axis=1))
    config = speech_tune.Config(out, steps=2, lanes=2, frames=8, warmup=1, threads=1, episode=1)
    return speech_tune.fit([spoken], [], SpeechForesight(), config)


def main(out: Path) -> None:
    checkpoint.seed_everything(1)
    with ranks.together():
        whole, first, second = Line(), Line(), Line()
        train(whole, out / "whole", Pace(STEPS, save_every=2))
        train(first, out / "parts", Pace(STEPS // 3, save_every=2))
        train(second, out / "parts", Pace(STEPS, save_every=2))
        turned = nn.Parameter(torch.zeros(2, 3))
        turned.grad = (1 + ranks.number()) * torch.arange(6.0).reshape(3, 2).T  # not in a row, as of convolutions
        ranks.average([turned])
        tune(out / "tuned")
        np.savez(
            out / f"rank{ranks.number()}.npz", drawn=np.stack(whole.drawn), line=whole.line, in_two_goes=second.line,
            again=np.stack(first.drawn + second.drawn), asked=ranks.gathered(ranks.number()),
            agreed=ranks.agreed(7 + ranks.number()), turned=turned.grad.numpy(),
        )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
