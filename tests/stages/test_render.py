"""The picture: the reference generators' pixels, candidates held as constants, and networks that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from lsp_cam.backends.base import TensorSpec
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.errors import BundleError, ModelError, UsageError
from lsp_cam.packets import FeatureMap
from lsp_cam.stages.render import RenderConfig, RenderStage, read_candidates, to_pixels
from lsp_cam.subject import Subject, write_bundle
from tests.sketch import line_renderer

FLOAT = np.dtype(np.float32)


def reference_map(case: Any) -> FeatureMap:
    """The map that the reference pictures were made of, and nothing else of the chain."""
    bits = np.unpackbits(case.expected["maps"][1], axis=-1)
    return FeatureMap(int(case.expected["map_frames"][1]), bits * np.uint8(255))


def noise_candidates(case: Any) -> Any:
    return np.random.default_rng(case.seed + 3).uniform(-1, 1, (1, 12, 512, 512)).astype(np.float32)


@pytest.mark.parametrize("renderer", ["normal_ngf8", "large_ngf8"])
def test_the_generators_give_the_published_pictures(case: Any, renderer: str, reference_bundle: Any) -> None:
    stage = RenderStage.from_subject(reference_bundle(case.name, renderer), OrtEngine(), noise_candidates(case))
    got = stage.generate(reference_map(case))
    assert got.shape == (1, 3, 512, 512)
    np.testing.assert_allclose(got[0, :, ::8, ::8], case.expected[f"render_{renderer}"], rtol=0, atol=1e-4)
    assert np.abs(got).mean() == pytest.approx(case.expected[f"render_{renderer}_mean_abs"], abs=1e-4)


def test_the_generator_of_full_width_gives_the_published_picture(case_a: Any, reference_bundle: Any) -> None:
    stage = RenderStage.from_subject(reference_bundle("case_a", "normal_ngf64"), OrtEngine(), noise_candidates(case_a))
    got = stage.generate(reference_map(case_a))
    np.testing.assert_allclose(got[0, :, ::8, ::8], case_a.expected["render_normal_ngf64"], rtol=0, atol=1e-4)


def test_a_frame_is_a_picture_of_its_own(case_a: Any, reference_bundle: Any) -> None:
    stage = RenderStage.from_subject(reference_bundle("case_a"), OrtEngine())
    given = reference_map(case_a)
    first = stage.render(given)
    kept = first.pixels.copy()
    stage.render(FeatureMap(1, np.zeros((512, 512), np.uint8)))
    assert first.frame == given.frame
    assert (first.pixels.shape, first.pixels.dtype) == ((512, 512, 3), np.uint8)
    np.testing.assert_array_equal(first.pixels, kept)
    np.testing.assert_array_equal(stage.render(given).pixels, kept)


def test_candidates_are_the_bundles_pictures(reference_bundle: Any) -> None:
    got = read_candidates(reference_bundle("case_a"), 512)
    assert (got.shape, got.dtype) == ((1, 12, 512, 512), np.float32)
    assert -1 <= got.min() < -0.5
    assert 0.5 < got.max() <= 1
    assert np.abs(got[0, :3] - got[0, 3:6]).max() > 0.1


def test_levels_are_cut_off_as_published() -> None:
    rng = np.random.default_rng(1)
    picture = rng.uniform(-1.2, 1.2, (1, 3, 8, 8)).astype(np.float32)
    wanted = np.clip((picture[0].transpose(1, 2, 0) + 1) / 2.0 * 255.0, 0, 255).astype(np.uint8)
    got = to_pixels(picture)
    np.testing.assert_array_equal(got, wanted)
    assert got.flags.c_contiguous


class FakeModel:
    """A network with the given tensors that paints its map, in floats or in levels."""

    def __init__(self, inputs: dict[str, Any], outputs: dict[str, Any], levels: bool = False) -> None:
        self.inputs = {k: TensorSpec(v, FLOAT) for k, v in inputs.items()}
        self.outputs = {k: TensorSpec(v, FLOAT) for k, v in outputs.items()}
        self.held: dict[str, Any] = {}
        self._levels = levels

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        if "map" in feeds and self._levels:
            return {"frame": (feeds["map"] * np.float32([[[[255]], [[100]], [[0]]]])).astype(np.uint8)}
        if "map" in feeds:
            return {"frame": np.repeat(feeds["map"] * 2 - 1, 3, axis=1)}
        return {name: np.ones(spec.shape, np.float32) for name, spec in self.outputs.items()}

    def hold(self, constants: Mapping[str, Any]) -> None:
        self.held.update(constants)


class FakeEngine:
    """Hands out the models in the order in which they are asked for."""

    name = "fake"

    def __init__(self, *models: FakeModel) -> None:
        self.models = list(models)

    def load(self, onnx: bytes, name: str, threads: int | None = None) -> FakeModel:
        return self.models.pop(0)


MAP, FRAME, CANDIDATES = (1, 1, 32, 32), (1, 3, 32, 32), (1, 12, 32, 32)


def bundle(reference_bundle: Any, root: Any, *files: str) -> Subject:
    manifest = reference_bundle("case_a").manifest.model_dump(exclude={"format", "files"})
    manifest["settings"]["render"] = {"size": 32}
    return write_bundle(root / "x", manifest, dict.fromkeys(files, line_renderer(32)))


def test_ink_is_one_and_paper_is_zero() -> None:
    stage = RenderStage(RenderConfig(32), FakeModel({"map": MAP}, {"frame": FRAME}))
    pixels = np.zeros((32, 32), np.uint8)
    pixels[3, 5] = 255
    got = stage.render(FeatureMap(0, pixels)).pixels
    np.testing.assert_array_equal(got, np.repeat(pixels[:, :, None], 3, axis=2))


def test_levels_are_taken_as_they_are() -> None:
    stage = RenderStage(RenderConfig(32), FakeModel({"map": MAP}, {"frame": FRAME}, levels=True))
    pixels = np.zeros((32, 32), np.uint8)
    pixels[3, 5] = 255
    got = stage.render(FeatureMap(0, pixels)).pixels
    assert got.shape == (32, 32, 3)
    assert got[3, 5].tolist() == [255, 100, 0]
    assert not got[4].any()
    picture = stage.generate(FeatureMap(0, pixels))
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture[0, :, 3, 5], [1, 100 / 127.5 - 1, -1], atol=1e-6)


def test_a_renderer_without_constants_needs_no_candidates(reference_bundle: Any, tmp_path: Any) -> None:
    subject = bundle(reference_bundle, tmp_path, "render.onnx")
    RenderStage.from_subject(subject, FakeEngine(FakeModel({"map": MAP}, {"frame": FRAME})))
    with pytest.raises(UsageError, match="takes no candidate"):
        RenderStage.from_subject(
            subject, FakeEngine(FakeModel({"map": MAP}, {"frame": FRAME})), np.zeros(CANDIDATES, np.float32)
        )


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"map": (1, 1, 64, 64)}, {"frame": FRAME}, r"'map' is \(1, 1, 64, 64\)"),
        ({"picture": MAP}, {"frame": FRAME}, "'map' is missing"),
        ({"map": MAP}, {"frame": (1, 4, 32, 32)}, r"'frame' is \(1, 4, 32, 32\)"),
    ],
)
def test_a_network_of_other_shapes_is_refused(inputs: Any, outputs: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        RenderStage(RenderConfig(32), FakeModel(inputs, outputs))


KEPT = (1, 8, 16, 16)


@pytest.mark.parametrize(
    ("maker", "message"),
    [
        (({"candidates": (1, 9, 32, 32)}, {"kept": KEPT}), "does not take 4 pictures"),
        (({"candidates": CANDIDATES}, {"kept": (1, 8, 8, 8)}), "do not fit together"),
        (({"candidates": CANDIDATES}, {"kept": KEPT}), "takes more than"),
    ],
)
def test_constants_that_do_not_fit_are_refused(maker: Any, message: str, reference_bundle: Any, tmp_path: Any) -> None:
    subject = bundle(reference_bundle, tmp_path, "render.onnx", "render_constants.onnx")
    model = FakeModel({"map": MAP, "kept": KEPT, "more": KEPT}, {"frame": FRAME})
    with pytest.raises(ModelError, match=message):
        RenderStage.from_subject(subject, FakeEngine(model, FakeModel(*maker)), np.zeros(CANDIDATES, np.float32))


def test_constants_are_held_once(reference_bundle: Any, tmp_path: Any) -> None:
    subject = bundle(reference_bundle, tmp_path, "render.onnx", "render_constants.onnx")
    model = FakeModel({"map": MAP, "kept": KEPT}, {"frame": FRAME})
    maker = FakeModel({"candidates": CANDIDATES}, {"kept": KEPT})
    RenderStage.from_subject(subject, FakeEngine(model, maker), np.zeros(CANDIDATES, np.float32))
    assert {k: v.shape for k, v in model.held.items()} == {"kept": KEPT}


def test_missing_or_misshapen_candidates_are_told(reference_bundle: Any, tmp_path: Any) -> None:
    subject = bundle(reference_bundle, tmp_path, "render.onnx", "render_constants.onnx", "candidates/0.png")
    model = FakeModel({"map": MAP, "kept": KEPT}, {"frame": FRAME})
    with pytest.raises(BundleError, match=r"candidates/0\.png cannot be used"):
        RenderStage.from_subject(subject, FakeEngine(model))
    with pytest.raises(UsageError, match=r"shape \(1, 12, 8, 8\)"):
        RenderStage.from_subject(subject, FakeEngine(model), np.zeros((1, 12, 8, 8), np.float32))
    bare = bundle(reference_bundle, tmp_path / "bare", "render.onnx", "render_constants.onnx")
    with pytest.raises(BundleError, match=r"no candidates/0\.png"):
        RenderStage.from_subject(bare, FakeEngine(model))
