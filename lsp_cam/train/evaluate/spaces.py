"""Figures 8 and 9: speech features and head poses in two dimensions (t-SNE)."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE

from lsp_cam.packets import ProjectedFrame, SpeechFrame
from lsp_cam.train.evaluate.figures import Array

ROWS = 350
POSES = 30  # section 5.1: training poses are brought down to 30 by K-means
SEED = 0


def manifold(base: Array, speech: list[SpeechFrame], projected: list[ProjectedFrame]) -> tuple[Array, Array, Array]:
    """Places (N, 2) of the subject's features, of held-out ones as they came, and of the same after projection."""
    rng = np.random.default_rng(SEED)
    frames = np.sort(rng.choice(len(speech), min(ROWS, len(speech)), replace=False))
    came = np.stack([speech[k].rows[0] for k in frames])
    moved = np.stack([projected[k].rows[0] for k in frames])
    own = base[np.sort(rng.choice(len(base), min(ROWS, len(base)), replace=False))]
    placed = _flattened(np.concatenate([own, came, moved]).astype(np.float32))
    return placed[: len(own)], placed[len(own) : -len(moved)], placed[-len(moved) :]


def poses(tracked: Array, generated: Array) -> tuple[Array, Array]:
    """Places (N, 2) of the tracked head poses (T, 6) and of the generated ones, each brought down to 30."""
    scale = np.maximum(tracked.std(axis=0), 1e-6)
    few = [_typical(part / scale) for part in (tracked, generated)]
    placed = _flattened(np.concatenate(few))
    return placed[: len(few[0])], placed[len(few[0]) :]


def _typical(rows: Array) -> Array:
    count = min(POSES, len(rows) // 2)
    return np.asarray(KMeans(count, n_init=1, random_state=SEED).fit(rows).cluster_centers_)


def _flattened(rows: Array) -> Array:
    nearby = min(30.0, (len(rows) - 1) / 3)
    found = TSNE(2, perplexity=nearby, init="pca", random_state=SEED, max_iter=500).fit_transform(rows)
    return np.asarray(found, np.float64)
