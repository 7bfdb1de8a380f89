"""`trace` in published smoothing gives what the published code gives, on subjects imported from its release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_cam.backends.ort import OrtEngine
from lsp_cam.errors import UsageError
from lsp_cam.pipeline import PipelineConfig
from lsp_cam.trace import read_candidates, trace, write_trace

ENGINE = OrtEngine(threads=2)
# The project's own goals (absolute): what each array may be off by.
TOLERANCES = {
    "mel": 1e-4,
    "apc": 1e-4,
    "projected": 2e-3,
    "mouth_delta": 1e-5,
    "head_pred": 1e-4,
    "landmarks": 0.02,
    "shoulders": 0.02,
}
RENDERERS = [("case_a", "normal_ngf8"), ("case_a", "large_ngf8"), ("case_a", "normal_ngf64"),
             ("case_b", "normal_ngf8"), ("case_b", "large_ngf8")]  # fmt: skip


def candidates(case: Any) -> Any:
    return np.random.default_rng(case.seed + 3).uniform(-1, 1, (1, 12, 512, 512)).astype(np.float32)


@pytest.fixture(scope="module")
def traced(case: Any, reference_bundle: Any) -> dict[str, Any]:
    config = PipelineConfig(smoothing="published", sigma=0.0)
    return trace(case.expected["audio"], reference_bundle(case.name), ENGINE, config, candidates(case))


@pytest.mark.parametrize("name", TOLERANCES)
def test_arrays_match_the_published_code(case: Any, traced: dict[str, Any], name: str) -> None:
    assert traced[name].shape == case.expected[name].shape
    np.testing.assert_allclose(traced[name], case.expected[name], rtol=0, atol=TOLERANCES[name])


def test_neighbours_are_the_same(case: Any, traced: dict[str, Any]) -> None:
    np.testing.assert_array_equal(traced["knn"], case.expected["knn"])
    np.testing.assert_allclose(traced["lle_w"].sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["mouth_pts", "pts3d", "headpose", "head_raw"])
def test_what_lies_between_matches_too(case: Any, traced: dict[str, Any], name: str) -> None:
    wanted = case.expected[name].copy()
    if name == "head_raw":  # the reference keeps what the network gave before the release's scaling of its last layer
        wanted[:, 1:] *= 0.05
    np.testing.assert_allclose(traced[name], wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_feature_maps_are_the_same_pixels(case: Any, traced: dict[str, Any]) -> None:
    np.testing.assert_array_equal(traced["map_frames"], case.expected["map_frames"])
    for ours, theirs in zip(traced["maps"], case.expected["maps"], strict=True):
        wrong = np.unpackbits(ours ^ theirs).mean()
        assert wrong <= 0.0005
        assert np.unpackbits(theirs).mean() > 0.005  # a map with lines in it


@pytest.mark.parametrize(("name", "renderer"), RENDERERS)
def test_the_generator_matches(shared: Path, reference_bundle: Any, name: str, renderer: str) -> None:
    from .conftest import load_case

    case = load_case(shared, name)
    config = PipelineConfig(smoothing="published", sigma=0.0)
    got = trace(case.expected["audio"], reference_bundle(name, renderer), ENGINE, config, candidates(case))
    np.testing.assert_allclose(got["render"], case.expected[f"render_{renderer}"], rtol=0, atol=2e-3)


def test_live_traces_have_all_frames(case_a: Any, reference_bundle: Any) -> None:
    got = trace(case_a.expected["audio"][:16_000], reference_bundle(), ENGINE, PipelineConfig())
    assert len(got["landmarks"]) == 60
    assert got["mel"].shape == (120, 80)


def test_a_trace_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        write_trace(tmp_path / "nowhere/trace.npz", {})
    write_trace(tmp_path / "trace.npz", {"a": np.zeros(3)})
    assert [p.name for p in tmp_path.iterdir()] == ["trace.npz"]


def test_candidates_must_fit(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.zeros(3))
    with pytest.raises(UsageError, match="12"):
        read_candidates(tmp_path / "flat.npy")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(UsageError, match=r"text\.npy"):
        read_candidates(tmp_path / "text.npy")
