"""Import of a release: whole or not at all, every damage named, nothing in it run."""

from __future__ import annotations

import os
import pickle
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lsp_cam.errors import SubjectError
from lsp_cam.stages.face import FaceConfig
from lsp_cam.stages.head import HeadConfig
from lsp_cam.stages.manifold import ManifoldConfig
from lsp_cam.stages.mouth import MouthConfig
from lsp_cam.stages.pose import PoseConfig
from lsp_cam.stages.project import ProjectConfig
from lsp_cam.stages.render import RenderConfig
from lsp_cam.stages.shape import ShapeConfig
from lsp_cam.subject import Subject
from lsp_cam.train.release import import_release

CONFIGS = {
    "manifold": ManifoldConfig,
    "mouth": MouthConfig,
    "shape": ShapeConfig,
    "pose": PoseConfig,
    "head": HeadConfig,
    "face": FaceConfig,
    "project": ProjectConfig,
    "render": RenderConfig,
}


@pytest.fixture
def release(release_folder: Any, tmp_path: Path) -> Path:
    """A copy of a release that a test may damage."""
    copy = tmp_path / "release"
    shutil.copytree(release_folder("case_a"), copy)
    return copy


def imported(release: Path, target: Path) -> Subject:
    return import_release(
        release / "Fixture", release / "APC_epoch_160.model", release / "Fixture.yaml", "fixture", target
    )


def refused(release: Path, message: str) -> None:
    """The import fails with `message`, and leaves nothing behind."""
    target = release.parent / "bundles" / "fixture"
    with pytest.raises(SubjectError, match=message):
        imported(release, target)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


def test_a_release_becomes_a_bundle(reference_bundle: Any, case: Any) -> None:
    subject = reference_bundle(case.name)
    subject.verify()
    networks = {f"{name}.onnx" for name in ("speech", "mouth", "pose_speech", "pose", "render", "render_constants")}
    arrays = {"manifold.npz", "face.npz", "camera.npz"}
    pictures = {"preview.jpg", *(f"candidates/{i}.jpg" for i in range(4))}
    assert set(subject.manifest.files) == networks | arrays | pictures
    assert subject.manifest.title == "Fixture"
    shape = subject.config("shape", ShapeConfig)
    assert shape == ShapeConfig(case.config["mouth_smooth"], *[tuple(map(float, case.config["AMP"][1:]))] * 2)
    head = subject.config("head", HeadConfig)
    assert [head.smooth_rotation_frames, head.smooth_translation_frames] == case.config["head_smooth"]
    assert [head.amplify_rotation, head.amplify_translation] == case.config["head_AMP"]


def test_an_imported_subject_has_nobodys_consent(release: Path) -> None:
    consent = imported(release, release.parent / "fixture").manifest.consent
    assert "no statement of consent" in consent.statement
    assert not consent.is_given


def test_every_setting_is_one_that_its_stage_knows(reference_bundle: Any) -> None:
    for stage, settings in reference_bundle("case_a").manifest.settings.items():
        assert set(settings) <= set(CONFIGS[stage].__dataclass_fields__), stage


def test_a_mistaken_name_or_place_is_refused(release: Path, tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="no name for a subject"):
        import_release(release / "Fixture", release / "APC_epoch_160.model", None, "Mrs May", tmp_path / "x")
    with pytest.raises(SubjectError, match="not a folder"):
        import_release(release / "Fixture.yaml", release / "APC_epoch_160.model", None, "may", tmp_path / "x")
    (tmp_path / "x").mkdir()
    with pytest.raises(SubjectError, match="there already"):
        imported(release, tmp_path / "x")


FILES = [
    "checkpoints/Audio2Feature.pkl",
    "checkpoints/Audio2Headpose.pkl",
    "checkpoints/Feature2Face.pkl",
    "mean_pts3d.npy",
    "tracked3D_normalized_pts_fix_contour.npy",
    "3d_fit_data.npz",
    "shoulder_points3D.npy",
    "camera_intrinsic.npy",
    "APC_feature_base.npy",
    "id_scale.mat",
    "change_paras.npz",
    "example.png",
    "candidates/normalized_full_3.jpg",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "torn"])
def test_a_damaged_file_is_named(name: str, damage: str, release: Path) -> None:
    path = release / "Fixture" / name
    data = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    refused(release, path.name.replace(".", r"\."))


def test_the_speech_encoder_must_be_there(release: Path) -> None:
    (release / "APC_epoch_160.model").unlink()
    refused(release, r"APC_epoch_160\.model is missing")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mean_pts3d.npy", np.zeros((68, 3)), r"shape \(68, 3\), not \(73, 3\)"),
        ("mean_pts3d.npy", np.full((73, 3), np.nan), "not finite"),
        ("camera_intrinsic.npy", np.eye(3).astype(object), "Object arrays cannot be loaded"),
        ("tracked3D_normalized_pts_fix_contour.npy", np.zeros((10, 73, 3)), "at least 11"),
        ("shoulder_points3D.npy", np.zeros((1, 18, 3)), "too few frames"),
        ("APC_feature_base.npy", np.zeros((4, 256)), "shape"),
    ],
)
def test_arrays_of_another_kind_are_refused(name: str, value: Any, message: str, release: Path) -> None:
    np.save(release / "Fixture" / name, value, allow_pickle=True)
    refused(release, message)


def change_weights(release: Path, change: Callable[[Any], Any]) -> Path:
    path = release / "Fixture/checkpoints/Audio2Feature.pkl"
    torch.save(change(torch.load(path, weights_only=True)), path)
    return path


def without_first(state: Any) -> Any:
    return OrderedDict(list(state.items())[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_first, r"Audio2Feature\.pkl: .* lack"),
        (lambda state: list(state.values()), "not hold the weights of one network"),
        (lambda state: {**state, "module.epoch": 3}, "not hold the weights of one network"),
        (lambda state: {}, "not hold the weights of one network"),
        (lambda state: {k: v[:1] for k, v in state.items() if v.ndim}, "shape"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: Any, message: str, release: Path) -> None:
    change_weights(release, change)
    refused(release, message)


class Mischief:
    """Unpickled, it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("modern", [True, False])
def test_code_in_a_checkpoint_is_not_run(modern: bool, release: Path, tmp_path: Path) -> None:
    path, mark = release / "Fixture/checkpoints/Audio2Headpose.pkl", tmp_path / "mark"
    if modern:
        torch.save({"module.x": Mischief(mark)}, path)
    else:
        path.write_bytes(pickle.dumps({"module.x": Mischief(mark)}))
    refused(release, r"Audio2Headpose\.pkl is damaged, or holds more than plain weights")
    assert not mark.exists()


def test_the_settings_must_be_those_of_the_weights(release: Path) -> None:
    text = (release / "Fixture.yaml").read_text()
    (release / "Fixture.yaml").write_text(text.replace("size: normal", "size: large"))
    refused(release, r"Feature2Face\.pkl: This is the 'normal' generator")


def test_weights_without_wrapper_prefix_are_read_too(release: Path) -> None:
    change_weights(release, lambda state: {k.removeprefix("module."): v for k, v in state.items()})
    imported(release, release.parent / "fixture").verify()


def test_a_full_disk_leaves_nothing(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lsp_cam.train.release.write_bundle", full)
    refused(release, "No space left on device")
