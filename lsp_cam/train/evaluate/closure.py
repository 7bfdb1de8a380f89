"""Lips: whether they close on p, b and m, and whether they rest in silence (the paper names both its weakness)."""

from __future__ import annotations

import numpy as np

from lsp_cam.packets import MOTION_FPS
from lsp_cam.stages.landmarks import LIPS
from lsp_cam.train.evaluate.figures import Array, Row, share
from lsp_cam.train.evaluate.phones import SILENCE, Phone
from lsp_cam.train.evaluate.speaking import lip_gap

CLOSED_SHARE = 0.1
OPEN_PERCENTILE = 95
TOLERANCE_S = 0.04  # edges of phones are good to that
SETTLE_S = 0.15  # silence at its edges belongs to the speech before and after
BILABIAL = ("P", "B", "M")


def frames_within(start_s: float, end_s: float, count: int) -> slice:
    """The frames whose middle is in the span, at least one; empty beyond the clip."""
    first = int(np.ceil(start_s * MOTION_FPS - 0.5))
    last = int(np.floor(end_s * MOTION_FPS - 0.5))
    return slice(max(first, 0), min(max(last, first) + 1, count))


def open_gap(gap: Array, phones: list[Phone]) -> float:
    """How far (mm) the mouth is open when it is open: a high percentile of the gap while somebody speaks."""
    spoken = [gap[frames_within(p.start_s, p.end_s, len(gap))] for p in phones if p.name != SILENCE]
    said = np.concatenate([np.zeros(0), *spoken])
    return float(np.percentile(said, OPEN_PERCENTILE)) if said.size else 0.0


def narrowest(gap: Array, phones: list[Phone]) -> tuple[list[str], Array]:
    """For each p, b and m its name, and the smallest gap in its time, give or take the tolerance."""
    names, gaps = [], []
    for phone in phones:
        frames = frames_within(phone.start_s - TOLERANCE_S, phone.end_s + TOLERANCE_S, len(gap))
        if phone.name in BILABIAL and frames.stop > frames.start:
            names.append(phone.name)
            gaps.append(gap[frames].min())
    return names, np.array(gaps)


def _closures(points: Array, phones: list[Phone]) -> tuple[Row, list[str]]:
    gap = lip_gap(points)
    wide = open_gap(gap, phones)
    names, narrow = narrowest(gap, phones)
    closed = narrow < CLOSED_SHARE * wide
    row = {
        "open_gap_mm": round(wide, 3),
        "closed_share": share(closed),
        **{
            f"closed_share_{p.lower()}": share([c for n, c in zip(names, closed, strict=True) if n == p]) for p in "PBM"
        },
        **_stillness(points, phones),
    }
    return row, names


def _stillness(points: Array, phones: list[Phone]) -> Row:
    """In silence: how far (mm) lip points are from where they are on average in that silence, and the gap."""
    away, gaps = [], []
    for phone in phones:
        if phone.name != SILENCE or phone.end_s - phone.start_s < 2 * SETTLE_S + 2 / MOTION_FPS:
            continue
        lips = points[frames_within(phone.start_s + SETTLE_S, phone.end_s - SETTLE_S, len(points))]
        if len(lips) > 1:
            away.append(np.linalg.norm(lips[:, LIPS] - lips[:, LIPS].mean(axis=0), axis=-1).mean(axis=1))
            gaps.append(lip_gap(lips))
    if not away:
        return {"silence_movement_mm": None, "silence_gap_mm": None}
    return {
        "silence_movement_mm": round(float(np.concatenate(away).mean()), 3),
        "silence_gap_mm": round(float(np.concatenate(gaps).mean()), 3),
    }


def lips_table(shown: Array, tracked: Array, phones: list[Phone], source: str) -> Row:
    """Closures and rest of the face that is shown and of the tracked one, both (T, 73, 3) at 60 fps.

    Closed: the gap between the inner lips falls under a tenth of that same face's open mouth, so that one which hardly
    opens gains nothing by it.
    """
    ours, names = _closures(shown, phones)
    truth, _ = _closures(tracked, phones)
    return {"phones_from": source, "closures": len(names), "shown": ours, "tracked": truth}
