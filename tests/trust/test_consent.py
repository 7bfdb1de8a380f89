"""Whose consent covers what: the rule, and every command that shows a subject obeying it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import av
import cv2
import httpx
import numpy as np
import pytest

from lsp_cam.cli.consent import ask_consent, read_consent
from lsp_cam.daemon.core import Daemon
from lsp_cam.daemon.loading import Loader
from lsp_cam.devices.null import NullSink, NullSource
from lsp_cam.errors import ConsentError, UsageError
from lsp_cam.store import Store
from lsp_cam.trust.consent import Consent, Use, check_consent, nobody
from lsp_cam.trust.detect import find_mark
from lsp_cam.trust.permission import BADGE, BADGE_WITHOUT_CONSENT, badge_of
from lsp_cam.trust.signing import SIGNATURE, own_key, sign_manifest
from lsp_cam.web.app import create_app
from tests.bundles import forge, tiny_bundle
from tests.cli.conftest import Invoke
from tests.daemon.serving import serving
from tests.devices.media import write_float_wav
from tests.sketch import sketch_of

ANNA = Consent(shows="Anna", statement="I agree.", agreed_by="Anna", how="spoken")
DAY = date(2027, 3, 1)
MISSING = {"how": "none"}
EXPIRED = {"shows": "Anna", "agreed_by": "Anna", "how": "spoken", "expires": "2020-01-31"}
CALLS_ONLY = {"shows": "Anna", "agreed_by": "Anna", "how": "spoken", "uses": ["call"]}


@pytest.mark.parametrize("use", ["live", "render", "call"])
def test_consent_that_covers_it(use: Use) -> None:
    check_consent("anna", ANNA, use)
    check_consent("anna", ANNA.model_copy(update={"expires": "2027-03-01"}), use, day=DAY)
    check_consent("demo", nobody("A drawing.", ""), use)


def refusal(consent: Consent, *, waived: bool = False) -> str:
    with pytest.raises(ConsentError) as caught:
        check_consent("anna", consent, "render", waived=waived, day=DAY)
    return str(caught.value)


def test_missing_consent_takes_a_user_who_answers_for_it() -> None:
    old = Consent.model_validate({"shows": "Anna", "statement": "The release carries no statement."})
    assert "--i-have-the-right" in refusal(old)
    assert "--i-have-the-right" in refusal(ANNA.model_copy(update={"agreed_by": " "}))
    check_consent("anna", old, "render", waived=True, day=DAY)


@pytest.mark.parametrize("waived", [False, True])
def test_a_no_is_a_no(waived: bool) -> None:
    ended = refusal(ANNA.model_copy(update={"expires": "2027-02-28"}), waived=waived)
    assert "2027-02-28" in ended
    assert "agree anew" in ended
    other = refusal(ANNA.model_copy(update={"uses": ("call",)}), waived=waived)
    assert "for calls, not for rendered files" in other
    assert "no use at all" in refusal(ANNA.model_copy(update={"uses": ()}), waived=waived)


@pytest.mark.parametrize(
    "field", [{"expires": "soon"}, {"expires": "20270301"}, {"how": "dreamt"}, {"uses": ["tv"]}, {"x": 1}]
)
def test_consent_that_cannot_be_read_is_none(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Consent.model_validate({**ANNA.model_dump(), **field})


@pytest.fixture
def shown(home: Path, reference_bundle: Any) -> Path:
    """A home with the subject `sketch`, whose pictures are lines."""
    return sketch_of(reference_bundle(), home / "subjects" / "sketch").root


def set_consent(root: Path, consent: dict[str, Any]) -> None:
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["consent"].update(consent)
    (root / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def speech(tmp_path: Path, case_a: Any) -> Path:
    return write_float_wav(tmp_path / "speech.wav", case_a.expected["audio"][:4_000])


COMMANDS: dict[str, Callable[[Path, Path], list[str | Path]]] = {
    "start": lambda speech, out: [
        "start",
        "--subject",
        "sketch",
        "--mic",
        speech,
        "--camera",
        "none",
        "--once",
        "--foreground",
    ],
    "render": lambda speech, out: ["render", speech, "--subject", "sketch", "-o", out / "out.mp4"],
    "evaluate": lambda speech, out: ["evaluate", "sketch", "--video", speech, "--report", out / "out.page"],
    "call": lambda speech, out: ["call", "dial", "a code that is never read", "--subject", "sketch"],
    "trace": lambda speech, out: ["trace", speech, "--subject", "sketch", "-o", out / "out.npz"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("consent", "way_out"),
    [(MISSING, "--i-have-the-right"), (EXPIRED, "agree anew"), (CALLS_ONLY, "Choose another subject")],
)
def test_every_command_obeys(
    invoke: Invoke,
    shown: Path,
    speech: Path,
    tmp_path: Path,
    command: str,
    consent: dict[str, Any],
    way_out: str,
) -> None:
    if command == "call" and consent is CALLS_ONLY:
        consent = {**CALLS_ONLY, "uses": ["live", "render"]}
    set_consent(shown, consent)
    got = invoke(*COMMANDS[command](speech, tmp_path))
    assert got.exit_code == 1
    assert way_out in got.output
    assert not list(tmp_path.glob("out.*"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_what_was_edited_or_signed_by_another(
    invoke: Invoke, shown: Path, speech: Path, tmp_path: Path, command: str
) -> None:
    store = Store()
    first = store.sign("sketch", own_key())
    store.signers.meet("sketch", first.signer)
    (shown / SIGNATURE).write_bytes(sign_manifest(first.text, own_key(tmp_path / "other.key")))
    foreign = invoke(*COMMANDS[command](speech, tmp_path))
    assert foreign.exit_code == 1
    assert f"lsp-cam trust remove {first.signer}" in foreign.output
    set_consent(shown, {"uses": ["live", "render", "call"], "statement": "Do as you please."})
    edited = invoke(*COMMANDS[command](speech, tmp_path))
    assert edited.exit_code == 1
    assert "changed after it was signed" in edited.output
    assert not list(tmp_path.glob("out.*"))


def test_a_switch_obeys(shown: Path, home: Path) -> None:
    """On air, over HTTP, as the panel and `lsp-cam switch` ask."""
    from lsp_cam.backends.ort import OrtEngine

    shutil.copytree(shown, shown.with_name("other"))
    manifest = shown.with_name("other") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "sketch"', '"name": "other"'))
    set_consent(shown.with_name("other"), MISSING)
    loader = Loader(Store(), OrtEngine(threads=1))
    daemon = Daemon(loader.find("sketch"), loader, NullSource, NullSink())
    daemon.begin()
    try:
        with serving(lambda port: create_app(daemon, "t", port, home / "work")) as port:
            ask = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer t"}, timeout=30)
            with ask:
                refused = ask.post("/api/switch", json={"subject": "other"})
                assert refused.status_code == 400
                assert "--i-have-the-right" in refused.json()["detail"]
                assert daemon.subject == "sketch"
                assert ask.post("/api/switch", json={"subject": "other", "waived": True}).status_code == 200
                assert daemon.subject == "other"
            seen = cv2.cvtColor(daemon.snapshot(), cv2.COLOR_RGB2GRAY).astype(np.float32)
            assert find_mark(seen).is_marked, "live pictures carry the invisible mark"
    finally:
        daemon.end()


def corner(path: Path) -> float:
    """How many of the lower left corner's pixels are bright, in the last picture of a video."""
    with av.open(str(path)) as video:
        last = list(video.decode(video=0))[-1].to_ndarray(format="gray")
    return float((last[-last.shape[0] // 16 :, : last.shape[1] // 3] > 128).mean())


def test_without_consent_pictures_are_visibly_marked(
    invoke: Invoke,
    shown: Path,
    speech: Path,
    tmp_path: Path,
) -> None:
    plain, marked = tmp_path / "plain.mp4", tmp_path / "marked.mp4"
    assert invoke("render", speech, "--subject", "sketch", "-o", plain).exit_code == 0
    set_consent(shown, MISSING)
    said = invoke("render", speech, "--subject", "sketch", "-o", marked, "--i-have-the-right")
    assert said.exit_code == 0, said.output
    assert "you answer" in said.output
    assert corner(marked) > corner(plain) + 0.01


def test_who_wants_a_badge(tmp_path: Path) -> None:
    subject = tiny_bundle(tmp_path)
    assert badge_of(subject, False) == ""
    assert badge_of(subject, True) == BADGE
    forge(subject, lambda raw: raw["consent"].update(badge=True))
    assert badge_of(type(subject).open(subject.root), False) == BADGE
    forge(subject, lambda raw: raw["consent"].update(how="none"))
    assert badge_of(type(subject).open(subject.root), False) == BADGE_WITHOUT_CONSENT


def answers(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    waiting = iter(words)
    monkeypatch.setattr("typer.prompt", lambda *a, **k: next(waiting))
    monkeypatch.setattr("typer.confirm", lambda *a, **k: next(waiting) == "y")


def test_the_questions_of_a_new_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(
        monkeypatch, "Anna", "perhaps", "spoken", "y", "Anna", "Yes, I do.", "y", "n", "y", "soon", "2027-12-31", "n"
    )
    assert ask_consent() == Consent(
        shows="Anna",
        statement="Yes, I do.",
        agreed_by="Anna",
        how="spoken",
        uses=("live", "call"),
        expires="2027-12-31",
    )
    answers(monkeypatch, "A drawing", "nobody", "It is drawn.")
    assert ask_consent() == nobody("A drawing", "It is drawn.")


def test_without_agreement_no_subject_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "Anna", "signed", "n")
    with pytest.raises(ConsentError, match="Anna"):
        ask_consent()
    with pytest.raises(UsageError, match="uses"):
        read_consent('{"shows": "Anna", "statement": "", "uses": ["everything"]}', "consent.json")
    assert read_consent(ANNA.model_dump_json(), "consent.json") == ANNA


def test_the_badge_is_read_the_right_way_round_in_a_mirrored_picture() -> None:
    from lsp_cam.daemon.show import Picture
    from lsp_cam.daemon.showing import Camera
    from lsp_cam.devices.fit import Fitter

    grey = np.full((256, 256, 3), 90, np.uint8)
    shown = [Camera(grey, Fitter(256, 256), mirror, BADGE).shown.pixels[-40:] for mirror in (False, True)]
    assert np.array_equal(*shown)
    camera = Camera(grey, Fitter(256, 256), False)
    camera.turn(Picture(grey, 3, BADGE))
    assert np.array_equal(camera.shown.pixels[-40:], shown[0])
    assert (shown[0] > 200).any()
