"""Table 1: how far predicted mouth points are from the tracked ones, and what hearing ahead is worth (section 5.2)."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from lsp_cam.backends.base import Engine
from lsp_cam.packets import MOTION_FPS, MouthFrame, ProjectedFrame
from lsp_cam.stages.landmarks import LIPS, MOUTH_RELATED
from lsp_cam.stages.mouth import MouthStage
from lsp_cam.stream import run_offline
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate.figures import Array, Row, spread
from lsp_cam.train.evaluate.speaking import Spoken, lip_gap
from lsp_cam.train.tracked import Tracked

SWEEP_MS = (0, 50, 100, 150, 200, 300, 400, 500)
MOST_CUTS = 900


def distances(ours: Array, truth: Array) -> Array:
    """Mean distance (T,) over the points of two clips (T, P, 3)."""
    return np.asarray(np.linalg.norm(ours - truth, axis=-1).mean(axis=-1))


def true_displacement(subject: Subject, clip: Tracked) -> Array:
    """Displacements (T, 25, 3) of the mouth-related points from the subject's mean face."""
    mean = subject.arrays("face.npz", mean_points=(73, 3))["mean_points"].astype(np.float64)
    return np.asarray(clip.points[:, MOUTH_RELATED] - mean[list(MOUTH_RELATED)])


def stacked(frames: list[MouthFrame]) -> Array:
    """Displacements (T, 25, 3) in the order of their frames."""
    return np.stack([frame.points for frame in sorted(frames, key=lambda f: f.frame)]).astype(np.float64)


def mouth_table(subject: Subject, spoken: Spoken, clip: Tracked) -> Row:
    """Errors in mm against the clip at 60 fps: of the network's 25 points, of the 18 lip points that are shown, and
    of a mouth that stays at the mean of this very clip; the correlation of the gap between the inner lips."""
    truth = true_displacement(subject, clip)
    count = min(len(truth), len(spoken.mouth))
    truth, network = truth[:count], stacked(spoken.mouth)[:count]
    lips, shown = clip.points[:count][:, LIPS], spoken.faces[:count][:, LIPS].astype(np.float64)
    gaps = lip_gap(spoken.faces[:count]), lip_gap(clip.points[:count])
    moving = min(gap.std() for gap in gaps) > 1e-6
    return {
        "frames": count,
        "error_mm": spread(distances(network, truth)),
        "shown_lips_error_mm": spread(distances(shown, lips)),
        "still_mouth_error_mm": spread(distances(np.broadcast_to(truth.mean(axis=0), truth.shape), truth)),
        "gap_correlation": round(float(np.corrcoef(*gaps)[0, 1]), 4) if moving else None,
    }


def cut_short(stage: MouthStage, projected: list[ProjectedFrame]) -> dict[int, dict[int, MouthFrame]]:
    """What a mouth network answers when speech breaks off: look-ahead in frames -> frame -> its answer.

    After every frame that comes, a copy of the stage is told that no more will: it then answers for the frames that it
    still owes, having heard 0, 1, 2, … frames beyond each, the rest being the last one over and over.
    """
    ahead, state = stage.config.look_ahead_frames, stage.start()
    answers: dict[int, dict[int, MouthFrame]] = {k: {} for k in range(ahead)}
    every = max(1, len(projected) // MOST_CUTS)
    for number, features in enumerate(projected):
        _, state = stage.step(features, state)
        if number % every == 0:
            for frame in stage.flush(deepcopy(state))[0]:
                if number - frame.frame < ahead:
                    answers[number - frame.frame][frame.frame] = frame
    return answers


def heard_less(subject: Subject, engine: Engine, spoken: Spoken, clip: Tracked) -> list[Row]:
    """The error of the subject's own network when it hears less of the future than it was trained for.

    Not the paper's sweep, which trains a network for each look-ahead: this shows what the future is worth to this
    one. Rows end at its own look-ahead; beyond, it hears nothing more.
    """
    stage = MouthStage.from_subject(subject, engine)
    truth, ahead = true_displacement(subject, clip), stage.config.look_ahead_frames
    answers = cut_short(stage, spoken.projected)
    answers[ahead] = {frame.frame: frame for frame in spoken.mouth}
    rows = []
    for look_ahead_ms in SWEEP_MS:
        frames = round(look_ahead_ms / 1000 * MOTION_FPS)
        found = [a for a in answers.get(frames, {}).values() if a.frame < len(truth)]
        if found:
            error = distances(stacked(found), truth[sorted(a.frame for a in found)])
            rows.append({"look_ahead_ms": look_ahead_ms, "error_mm": spread(error)})
    return rows


def error_of(stage: MouthStage, projected: list[ProjectedFrame], truth: Array) -> dict[str, float] | None:
    """Error in mm of another mouth network on the same speech, `truth` (T, 25, 3)."""
    ours = stacked(list(run_offline(stage, projected)))
    count = min(len(ours), len(truth))
    return spread(distances(ours[:count], truth[:count]))
