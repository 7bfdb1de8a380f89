"""Manifold projection: the published neighbours, weights and rows; bases that could blow the weights up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_cam.errors import BundleError
from lsp_cam.packets import SpeechFrame
from lsp_cam.stages.manifold import ManifoldConfig, ManifoldStage, barycentric_weights
from lsp_cam.stream import run_offline
from lsp_cam.subject import npz_bytes, write_bundle
from tests.bundles import manifest_fields
from tests.stages.packets import speech_frames


def test_projection_is_the_published_one(case: Any) -> None:
    config = ManifoldConfig(case.config["Knear"], case.config["LLE_percent"])
    frames = list(run_offline(ManifoldStage(case.subject["feature_base"], config), speech_frames(case)))
    rows, neighbours, weights = (
        np.concatenate([getattr(f, name) for f in frames]) for name in ("rows", "neighbours", "weights")
    )
    np.testing.assert_array_equal(neighbours, case.expected["knn"])
    np.testing.assert_allclose(weights, case.expected["lle_w"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose(rows, case.expected["projected"], rtol=0, atol=2e-3)
    assert (rows.dtype, neighbours.dtype, weights.dtype) == (np.float32, np.int32, np.float32)


def project(base: Any, row: Any, **config: Any) -> Any:
    (frame,) = run_offline(ManifoldStage(base, ManifoldConfig(**config)), [SpeechFrame(0, np.stack([row, row]))])
    return frame


@pytest.fixture
def base() -> Any:
    return np.random.default_rng(5).standard_normal((60, 512)).astype(np.float32)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
def test_coinciding_neighbours_share_their_weight(base: Any, scale: float) -> None:
    row = base[7] + 0.3 * base[8]
    twins = np.repeat(base, 4, axis=0) * np.float32(scale)
    twins[1::4] += np.float32(1e-6 * scale)
    got = project(twins, row * np.float32(scale))
    assert np.abs(got.weights).max() < 2
    np.testing.assert_allclose(got.weights.sum(1), 1, rtol=0, atol=1e-6)
    distance = np.linalg.norm(got.rows[0] - row * scale)
    assert distance <= np.linalg.norm(base[7] * scale - row * scale) * (1 + 1e-4)


def test_neighbours_that_are_all_the_same_share_equally(base: Any) -> None:
    got = project(np.repeat(base[:1], 20, axis=0), base[3])
    np.testing.assert_allclose(got.weights, 0.1, rtol=0, atol=1e-7)
    np.testing.assert_allclose(got.rows[0], base[0], rtol=0, atol=1e-6)


def test_a_row_of_the_base_stays_where_it_is(base: Any) -> None:
    got = project(base, base[11])
    assert got.neighbours[0, 0] == 11
    np.testing.assert_allclose(got.rows[0], base[11], rtol=0, atol=1e-4)


def test_one_neighbour_takes_all(base: Any) -> None:
    got = project(base, base[11] + np.float32(0.01), neighbours=1)
    np.testing.assert_array_equal(got.weights, 1)
    np.testing.assert_array_equal(got.rows[0], base[11])


def test_a_row_far_away_is_drawn_close(base: Any) -> None:
    got = project(base, base[0] + np.float32(50))
    assert np.abs(got.weights).max() < 100
    assert np.linalg.norm(got.rows[0]) < np.linalg.norm(base[0] + 50)


def test_weights_are_the_best_that_sum_to_one(base: Any) -> None:
    near, row = base[:6], base[20]
    weights = barycentric_weights(row[None], near[None])[0]
    best = np.linalg.norm(weights @ near - row)
    for step in np.random.default_rng(1).normal(0, 0.01, (50, 6)):
        assert best <= np.linalg.norm((weights + step - step.mean()) @ near - row) + 1e-6


@pytest.mark.parametrize("blend", [0.0, 0.25, 1.0])
def test_blend_mixes_reconstruction_and_row(base: Any, blend: float) -> None:
    row = base[3] + np.float32(0.5) * base[4]
    whole = project(base, row).rows[0]
    np.testing.assert_allclose(project(base, row, blend=blend).rows[0], blend * whole + (1 - blend) * row, atol=1e-6)


def test_a_base_smaller_than_its_neighbourhood_is_refused(base: Any) -> None:
    with pytest.raises(BundleError, match="9 rows"):
        ManifoldStage(base[:9], ManifoldConfig())


def bundle(root: Path, base: Any, **settings: Any) -> Any:
    fields = {**manifest_fields("tiny"), "settings": {"manifold": settings}}
    return write_bundle(root, fields, {"manifold.npz": npz_bytes(feature_base=base)})


def test_a_base_in_half_precision_is_used_as_it_is(base: Any, tmp_path: Path) -> None:
    half = base.astype(np.float16)
    stage = ManifoldStage.from_subject(bundle(tmp_path, half, neighbours=3, blend=0.5))
    assert stage.config == ManifoldConfig(3, 0.5)
    (got,) = run_offline(stage, [SpeechFrame(0, base[:2])])
    np.testing.assert_array_equal(got.rows, project_pair(half.astype(np.float32), base[:2]))


def project_pair(base: Any, rows: Any) -> Any:
    (frame,) = run_offline(ManifoldStage(base, ManifoldConfig(3, 0.5)), [SpeechFrame(0, rows)])
    return frame.rows


@pytest.mark.parametrize("settings", [{"neighbours": 0}, {"neighbours": 61}, {"blend": 1.5}, {"blend": "all"}])
def test_settings_out_of_bounds_are_refused(base: Any, tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        ManifoldStage.from_subject(bundle(tmp_path, base, **settings))
