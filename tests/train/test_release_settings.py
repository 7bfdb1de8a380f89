"""Settings of the authors' release: from YAML, built in, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lsp_cam.errors import SubjectError
from lsp_cam.train.release_settings import RELEASED, read_settings, release_settings

PUBLISHED: dict[str, Any] = {
    "model_params": {
        "APC": {"residual": False, "use_LLE": 1, "Knear": 10, "LLE_percent": 1},
        "Audio2Mouth": {"smooth": 1.5, "AMP": ["XYZ", 2, 2, 2]},
        "Headpose": {"sigma": 0.3, "smooth": [5, 10], "AMP": [1, 0.5], "shoulder_AMP": 0.5},
        "Image2Image": {"size": "large", "save_input": 0},
    }
}


def written(folder: Path, part: str = "APC", name: str = "May.yaml", **changes: Any) -> Path:
    params = {k: dict(v) for k, v in PUBLISHED["model_params"].items()}
    params[part].update(changes)
    for key in [key for key, value in changes.items() if value is None]:
        del params[part][key]
    path = folder / name
    path.write_text(yaml.safe_dump({"model_params": params}))
    return path


def test_mays_yaml_says_what_is_built_in_for_may(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path)) == RELEASED["May"]
    assert sorted(RELEASED) == ["May", "McStay", "Nadella", "Obama1", "Obama2"]
    assert [n for n, s in RELEASED.items() if s.generator == "large"] == ["May"]


def test_the_settings_are_found_by_the_folders_name(tmp_path: Path) -> None:
    folder = tmp_path / "may"
    folder.mkdir()
    assert release_settings(folder) is RELEASED["May"]
    written(tmp_path, "APC", "may.yaml", Knear=4)
    assert release_settings(folder).neighbours == 4
    written(folder, "APC", "may.yaml", Knear=5)
    assert release_settings(folder).neighbours == 5
    assert release_settings(folder, written(tmp_path, "APC", "other.yaml", Knear=6)).neighbours == 6


def test_an_unknown_subject_without_settings_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match=r"'Smith'.*--settings.*May, McStay, Nadella, Obama1, Obama2"):
        release_settings(tmp_path / "Smith")


def test_no_projection_is_a_blend_of_nothing(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, use_LLE=0)).blend == 0


@pytest.mark.parametrize(
    ("amplify", "wanted"),
    [
        (["XYZ", 1, 2, 3], {"amplify_upper": (1, 2, 3), "amplify_lower": (1, 2, 3)}),
        (["XY", 1.5, 2], {"amplify_upper": (1.5, 2, 1), "amplify_lower": (1.5, 2, 1)}),
        (["LowerMore", 1, 2, 3, 4, 5, 6], {"amplify_upper": (1, 2, 3), "amplify_lower": (4, 5, 6)}),
        (["delta", 0.5, 9], {"amplify_change": 0.5}),
    ],
)
def test_every_way_of_amplifying_is_told_to_the_shape_stage(amplify: Any, wanted: Any, tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, "Audio2Mouth", AMP=amplify)).mouth_factors() == wanted


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("Audio2Mouth", {"AMP": ["CloseSmall", 1, 1, 1, 1, 1, 1]}, "CloseSmall"),
        ("Audio2Mouth", {"AMP": ["XYZ", 1, 1]}, "with 2 factors"),
        ("Audio2Mouth", {"AMP": 3}, "not laid out"),
        ("Audio2Mouth", {"smooth": -1}, "mouth_smooth"),
        ("Headpose", {"smooth": [1, 2, 3]}, "head_smooth"),
        ("Headpose", {"AMP": None}, "lacks 'AMP'"),
        ("APC", {"Knear": float("nan")}, "neighbours"),
        ("Image2Image", {"size": "small"}, "generator"),
    ],
)
def test_what_cannot_be_followed_is_named(part: str, changes: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match=message) as caught:
        read_settings(written(tmp_path, part, **changes))
    assert "May.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "no YAML"),
        (b"\xff\xfe\x00", "no YAML"),
        (b"!!python/object/apply:os.system ['true']", "no YAML"),
        (b"just words", "not laid out"),
        (b"", "not laid out"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(SubjectError, match=message):
        read_settings(tmp_path / "x.yaml")
    with pytest.raises(SubjectError, match="No such file"):
        read_settings(tmp_path / "none.yaml")
