"""Content credentials: they name the tool, the kind and the subject, hold, and break at one changed byte."""

from __future__ import annotations

import json
import stat
from fractions import Fraction
from pathlib import Path
from typing import Any

import c2pa
import pytest

from lsp_cam.devices.videofile import VideoFileSink
from lsp_cam.errors import DeviceError, UsageError
from lsp_cam.store import Store
from lsp_cam.trust.credentials import SOURCE_TYPE, UNKNOWN_SIGNER, Seal, own_certificate, read_credentials
from tests.bundles import tiny_bundle
from tests.cli.conftest import Invoke
from tests.devices.media import play, tone, write_float_wav
from tests.sketch import sketch_of

from .clips import clip, write


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short film with credentials for the subject `tiny`."""
    folder = tmp_path_factory.mktemp("sealed")
    seal = Seal(tiny_bundle(folder), folder / "credentials")
    with VideoFileSink(folder / "film.mp4", speech=tone(1.0), seal=seal) as film:
        film.open(128, 128, Fraction(10))
        for frame in clip(0, 10, 128):
            film.send(frame)
    assert film.is_sealed
    return folder / "film.mp4"


def test_they_name_tool_kind_and_subject(sealed: Path) -> None:
    found = read_credentials(sealed)
    assert (found.state, found.tool, found.source_type, found.subject) == ("valid", "lsp-cam", SOURCE_TYPE, "tiny")
    assert SOURCE_TYPE.endswith("/trainedAlgorithmicMedia")
    video = play(sealed)
    assert len(video.frames) == 10
    assert len(video.sound) > 15_000
    assert not list(sealed.parent.glob("film.mp4.*"))


def test_other_verifiers_find_them_valid_too(sealed: Path) -> None:
    """As c2patool does it: the reference library with its own settings. Only the signer is unknown to it."""
    reader = c2pa.Reader(str(sealed))
    told = json.loads(reader.json())
    assert reader.get_validation_state() == "Valid"
    assert [problem["code"] for problem in told["validation_status"]] == [UNKNOWN_SIGNER]
    assert "claimSignature.validated" in json.dumps(told)


def test_one_changed_byte_breaks_them(sealed: Path, tmp_path: Path) -> None:
    data = sealed.read_bytes()
    picture = data.index(b"mdat") + 1000
    claim = data.index(SOURCE_TYPE.encode()) + 3
    for place in (picture, claim, len(data) - 5):
        changed = bytearray(data)
        changed[place] ^= 1
        (tmp_path / "x.mp4").write_bytes(changed)
        assert read_credentials(tmp_path / "x.mp4").state == "broken", place


def test_files_without_them(tmp_path: Path) -> None:
    assert read_credentials(write(tmp_path / "plain.mp4", clip(1, 3, 128))).state == "none"
    assert read_credentials(tmp_path / "any.mkv").state == "none"
    with pytest.raises(UsageError, match=r"missing\.mp4"):
        read_credentials(tmp_path / "missing.mp4")


def test_matroska_goes_without(tmp_path: Path) -> None:
    seal = Seal(tiny_bundle(tmp_path), tmp_path / "credentials")
    with VideoFileSink(tmp_path / "film.mkv", seal=seal) as film:
        film.open(128, 128, Fraction(10))
        film.send(clip(0, 1, 128)[0])
    assert not film.is_sealed
    assert len(play(tmp_path / "film.mkv").frames) == 1


def test_a_seal_that_fails_leaves_the_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise c2pa.C2paError("no pen")

    monkeypatch.setattr("c2pa.Builder.sign", fail)
    film = VideoFileSink(tmp_path / "film.mp4", seal=Seal(tiny_bundle(tmp_path), tmp_path / "credentials"))
    film.open(128, 128, Fraction(10))
    film.send(clip(0, 1, 128)[0])
    with pytest.raises(DeviceError, match="no pen"):
        film.close()
    assert len(play(tmp_path / "film.mp4.part").frames) == 1
    assert not list(tmp_path.glob("film.mp4.[fs]*"))


def test_the_certificate_is_made_once_and_its_key_is_the_users(tmp_path: Path) -> None:
    made = own_certificate(tmp_path / "credentials")
    assert own_certificate(tmp_path / "credentials") == made
    for file in (tmp_path / "credentials").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="certificate"):
        own_certificate(tmp_path / "file" / "x")


def test_render_signs_and_inspect_tells(
    invoke: Invoke, home: Path, reference_bundle: Any, case_a: Any, tmp_path: Path
) -> None:
    sketch_of(reference_bundle(), home / "subjects" / "sketch")
    assert Store().get("sketch").name == "sketch"
    speech = write_float_wav(tmp_path / "speech.wav", case_a.expected["audio"][:4_000])
    out = tmp_path / "out.mp4"
    said = invoke("render", speech, "--subject", "sketch", "-o", out, "--fps", "10")
    assert said.exit_code == 0, said.output
    assert read_credentials(out).subject == "sketch"
    got = invoke("inspect", out)
    assert got.exit_code == 0, got.output
    assert "credentials hold: made by lsp-cam (trainedAlgorithmicMedia), shows the subject 'sketch'" in got.output
    data = bytearray(out.read_bytes())
    data[-5] ^= 1
    out.write_bytes(data)
    assert "do not fit it" in invoke("inspect", out).output
    assert json.loads(invoke("inspect", out, "--json").output)["credentials"]["state"] == "broken"
