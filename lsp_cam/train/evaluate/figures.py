"""Numbers of a report: a mean with its deviation, in plain types that JSON takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Row = dict[str, Any]


def spread(values: Sequence[float] | NDArray[np.floating]) -> dict[str, float] | None:
    """Mean and (population) deviation of those of `values` that are numbers; None if none is."""
    kept = np.asarray(values, np.float64)
    kept = kept[np.isfinite(kept)]
    if not kept.size:
        return None
    return {"mean": round(float(kept.mean()), 4), "deviation": round(float(kept.std()), 4)}


def share(hits: Sequence[bool] | NDArray[np.bool_]) -> float | None:
    """The share 0..1 of hits; None of nothing."""
    return round(float(np.mean(hits)), 4) if len(hits) else None
