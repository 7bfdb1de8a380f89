"""Endless streams of speech whose mouth movement is known: what networks with carried states are trained on.

A window of a stream begins where the one before it ended, so that no step is spent on filling states, and the networks
meet what they meet on air: one utterance after another, from changing microphones, with pauses between.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsp_cam.packets import ROWS_PER_FRAME
from lsp_cam.stages.mel import FLOOR, MEL_BANDS

NATS = -float(np.log(FLOOR))
"""Nepers in one unit of a mel row."""


@dataclass(frozen=True)
class Spoken:
    """An utterance: mel rows (2T, 80) and displacements of the mouth (T, 75) in mm; None where they are not known."""

    mel: NDArray[np.float16]
    truth: NDArray[np.float16] | None


@dataclass(frozen=True)
class Window:
    """Mel rows (B, 2W + ahead, 80) of all lanes; displacements (L, look_ahead + W, 75) of the first L, whose row
    `look_ahead` is beside the first two mel rows."""

    mel: NDArray[np.float32]
    truth: NDArray[np.float32]


WARP = 0.06
TEMPO = (0.88, 1.14)


def vary_rows(mel: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Mel rows (R, 80) of another throat through another microphone: bands moved, gain, colour, noise.

    Cheap, unlike `augment`.
    """
    if rng.random() < 0.2:
        return mel
    moved = np.arange(MEL_BANDS) * (1 + rng.uniform(-WARP, WARP))
    mel = between(mel.T, np.minimum(moved, MEL_BANDS - 1)).T
    gain = rng.uniform(-14.0, 8.0) / 20 * np.log(10) / NATS
    bands = np.arange(MEL_BANDS)
    colour = np.interp(bands, np.linspace(0, MEL_BANDS - 1, 6), rng.normal(0, 0.025, 6))
    tilt = np.linspace(-1, 1, MEL_BANDS) * rng.normal(0, 0.04)
    out = mel + gain + colour + tilt
    if rng.random() < 0.5:
        level = (
            np.percentile(out, 90) - rng.uniform(0.25, 0.6) + np.linspace(0, 1, MEL_BANDS) * rng.uniform(-0.15, 0.05)
        )
        noise = level + 0.5 * np.log(np.maximum(rng.exponential(1, out.shape), 1e-3)) / NATS
        out = np.logaddexp(2 * NATS * out, 2 * NATS * noise) / (2 * NATS)
    return np.asarray(np.maximum(out, 0), np.float32)


def between(rows: NDArray[np.float32], where: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows (N, C) read at the places (M,) between them, 0 at the first row: (M, C)."""
    low = np.clip(where.astype(int), 0, max(len(rows) - 2, 0))
    share = (where - low)[:, None].astype(np.float32)
    return np.asarray(rows[low] * (1 - share) + rows[np.minimum(low + 1, len(rows) - 1)] * share, np.float32)


def at_tempo(
    mel: NDArray[np.float32], truth: NDArray[np.float32], faster: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mel rows (2T, 80) and displacements (T, 75) of the same said `faster` times as fast, at the same pitch."""
    frames = max(round(len(truth) / faster), 1)

    def told(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        return between(rows, np.clip((np.arange(count) + 0.5) * faster - 0.5, 0, len(rows) - 1))

    return told(mel, ROWS_PER_FRAME * frames), told(truth, frames)


class _Lane:
    """One stream. Holds what of it has been drawn and not yet been given out."""

    def __init__(self, look_ahead: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._mel = np.zeros((0, MEL_BANDS), np.float32)
        self._truth: NDArray[np.float32] | None = None
        self._look_ahead = look_ahead

    def take(self, spoken: list[Spoken], frames: int, ahead: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mel rows (2W + ahead, 80) and displacements (look_ahead + W, 75) of the next W frames."""
        while len(self._mel) < ROWS_PER_FRAME * frames + ahead:
            self._append(spoken[int(self._rng.integers(len(spoken)))])
        assert self._truth is not None, "a lane that has rows has their truth"
        mel, truth = self._mel[: ROWS_PER_FRAME * frames + ahead], self._truth[: self._look_ahead + frames]
        self._mel, self._truth = self._mel[ROWS_PER_FRAME * frames :], self._truth[frames:]
        return mel, truth

    def _append(self, spoken: Spoken) -> None:
        mel = vary_rows(np.asarray(spoken.mel, np.float32), self._rng)
        frames = len(mel) // ROWS_PER_FRAME
        truth = np.zeros((frames, 75), np.float32) if spoken.truth is None else spoken.truth.astype(np.float32)
        mel, truth = at_tempo(mel, truth, self._rng.uniform(*TEMPO))
        pause = int(self._rng.integers(5, 70)) if self._rng.random() < 0.35 else 0
        quiet = mel[:8].mean(axis=0) + self._rng.normal(0, 0.04, (ROWS_PER_FRAME * pause, MEL_BANDS))
        if self._truth is None:  # before a stream the mouth was as it is at its start
            self._truth = np.repeat(truth[:1], self._look_ahead, axis=0)
        self._mel = np.concatenate([self._mel, np.maximum(quiet, 0).astype(np.float32), mel])
        self._truth = np.concatenate([self._truth, np.repeat(truth[:1], pause, axis=0), truth])


class Lanes:
    """As many streams side by side as a batch has rows; the last `unlabelled` of them without truth."""

    def __init__(
        self, known: list[Spoken], unknown: list[Spoken], lanes: int, unlabelled: int, look_ahead: int, seed: list[int]
    ) -> None:
        self._known, self._unknown = known, unknown
        self._lanes = [_Lane(look_ahead, np.random.default_rng([*seed, k])) for k in range(lanes)]
        self._labelled = lanes - (unlabelled if unknown else 0)

    def window(self, frames: int, ahead: int) -> Window:
        """The next `frames` of every stream, and `ahead` mel rows beyond them."""
        sources = [self._known if k < self._labelled else self._unknown for k in range(len(self._lanes))]
        parts = [lane.take(source, frames, ahead) for lane, source in zip(self._lanes, sources, strict=True)]
        return Window(np.stack([mel for mel, _ in parts]), np.stack([t for _, t in parts[: self._labelled]]))
