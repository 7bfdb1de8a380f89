"""The door to mediapipe: quiet, and plain about what is missing."""

import sys
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.errors import MissingExtra
from lsp_cam.train.prepare import mesh
from lsp_cam.train.prepare.mesh import FaceFinder, FaceMesh, PersonFinder, Window, window_around
from tests.train.prepare.clips import pictures_of


def test_without_mediapipe_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe.framework", None)
    with pytest.raises(MissingExtra, match=r"needs mediapipe.*\[train\]"):
        FaceFinder()
    monkeypatch.setattr(mesh, "NEWER_PYTHON", (3, 0))
    with pytest.raises(MissingExtra, match=r"use Python 3\.11 or 3\.12"):
        FaceFinder()


def test_it_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    black = np.zeros((64, 64, 3), np.uint8)
    assert FaceFinder().find(black) == []
    assert FaceMesh().see(black, Window(32, 32, 50, 0)) is None
    out, _ = capfd.readouterr()
    assert out == ""


def test_a_face_turned_in_its_window_is_the_same_face(shared: Path) -> None:
    picture = pictures_of(shared, 1, 256)[0]
    face = FaceFinder().find(picture)[0]
    looks = FaceMesh()
    first = looks.see(picture, Window(face.x, face.y, 1.5 * face.side, 0.0))
    assert first is not None
    plain = looks.see(picture, window_around(first))
    turned = looks.see(
        np.ascontiguousarray(np.rot90(picture)), Window(face.y, 256 - face.x, 1.5 * face.side, -np.pi / 2)
    )
    assert plain is not None
    assert turned is not None
    back = np.stack([256 - turned[:, 1], turned[:, 0]], axis=1)
    assert np.linalg.norm(back - plain[:, :2], axis=1).mean() < 3
    assert abs(window_around(turned).turn + np.pi / 2) < 0.1


def test_the_person_is_told_from_the_room(shared: Path) -> None:
    person = PersonFinder().find(pictures_of(shared, 1, 256)[0])
    assert person[110:150, 110:140].all()
    assert not person[:40, :40].any()
