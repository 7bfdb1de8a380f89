"""Small trainings of renderers, a step each, on a tiny clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lsp_cam.backends.choose import open_engine
from lsp_cam.errors import UsageError
from lsp_cam.stages.project import ProjectConfig
from lsp_cam.stages.render import CONSTANTS_MODEL
from lsp_cam.subject import Subject
from lsp_cam.train import render_fit
from lsp_cam.train.evaluate import renderers
from lsp_cam.train.render_data import Footage
from tests.bundles import tiny_bundle
from tests.train.footage import small_footage

CONFIG = renderers.Config(steps=1, width=4, threads=1)


@pytest.fixture(scope="module")
def footage(shared: Path) -> Footage:
    return small_footage(shared, frames=20, side=256)


@pytest.fixture(scope="module")
def seen() -> list[Footage]:
    """What each was trained on."""
    return []


@pytest.fixture(scope="module")
def made(footage: Footage, seen: list[Footage], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    folder, fit = tmp_path_factory.mktemp("renderers"), render_fit.fit
    subject = tiny_bundle(folder / "plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_fit, "fit", lambda footage, *rest: seen.append(footage) or fit(footage, *rest))
        return dict(renderers.renderers(subject, footage.clip, footage.frames, CONFIG, folder))


def test_each_is_a_bundle_with_a_renderer_of_its_own(made: dict[str, Subject]) -> None:
    assert tuple(made) == renderers.RENDERERS
    assert len({bundle.read("render.onnx") for bundle in made.values()}) == len(made)
    for bundle in made.values():
        bundle.verify()
        assert sum(name.startswith("candidates/") for name in bundle.manifest.files) == 4


def test_one_neither_learns_nor_draws_shoulders(made: dict[str, Subject], seen: list[Footage]) -> None:
    assert [footage.upper_body for footage in seen] == [True, False, True, True]
    moved = {kind: made[kind].config("project", ProjectConfig).shoulder_offset_px for kind in made}
    assert {kind for kind, offset in moved.items() if offset != (0, 0)} == {renderers.NO_BODY}
    hidden = seen[1]
    gone = (hidden.shoulders[0] + moved[renderers.NO_BODY]).astype(np.float32)
    np.testing.assert_array_equal(seen[0].drawn(hidden.points[0], gone), hidden.feature_map(0))


@pytest.mark.parametrize("kind", renderers.RENDERERS)
def test_one_is_blind_to_candidates(made: dict[str, Subject], kind: str) -> None:
    model = open_engine(threads=1).load(made[kind].read(CONSTANTS_MODEL), kind)
    given = np.random.default_rng(0).uniform(-1, 1, (2, 1, 12, 256, 256)).astype(np.float32)
    first, second = (model.run({"candidates": pictures}) for pictures in given)
    same = all(np.array_equal(first[name], second[name]) for name in first)
    assert same == (kind == renderers.NO_CANDIDATES)


def test_pictures_of_another_size_than_renderers_have_are_refused(shared: Path, tmp_path: Path) -> None:
    small = small_footage(shared, frames=20, side=128)
    with pytest.raises(UsageError, match="256 or 512"):
        list(renderers.renderers(tiny_bundle(tmp_path), small.clip, small.frames, CONFIG, tmp_path))
