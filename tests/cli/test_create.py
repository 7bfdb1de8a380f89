"""`lsp-cam subject create`: what it asks of a user, and what it hands on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lsp_cam.cli import create as commands
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from tests.bundles import tiny_bundle
from tests.cli.conftest import Invoke

Asked = list[tuple[Any, Path, bool]]


def create(*options: object) -> list[object]:
    """The command for a video that the stand-in does not open."""
    return ["subject", "create", "talk.mp4", "--name", "tiny", "--licence", "CC0-1.0", *options]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> Asked:
    """A maker that notes what it is asked for."""
    calls: Asked = []

    def make(request: Any, folder: Path, *, resume: bool, say: Any) -> Subject:
        calls.append((request, folder, resume))
        return tiny_bundle(tmp_path / "made", "tiny")

    from lsp_cam.train.job import Request

    monkeypatch.setattr(commands, "_maker", lambda: (make, Request))
    return calls


def test_a_subject_is_made_and_installed(invoke: Invoke, asked: Asked, home: Path) -> None:
    result = invoke(*create("--consent", "self", "--size", 256, "--minutes", 5, "--resume"))
    assert result.exit_code == 0, result.output
    assert "Made 'tiny'" in result.output
    request, folder, resume = asked[0]
    assert (request.videos, request.size, request.minutes, resume) == ((Path("talk.mp4"),), 256, 5.0, True)
    assert folder == home / "work" / "tiny"
    assert request.consent.is_given
    assert "footage of myself" in request.consent.statement
    Store().get("tiny").verify()


def test_whoever_sits_there_is_asked(invoke: Invoke, asked: Asked) -> None:
    told = "\n".join(["Ada", "spoken", "y", "", "I agree.", "y", "n", "n", "2099-12-31", "y"]) + "\n"
    result = invoke(*create("--consent", "ask"), stdin=told)
    assert result.exit_code == 0, result.output
    consent = asked[0][0].consent
    assert (consent.agreed_by, consent.how, consent.uses, consent.badge) == ("Ada", "spoken", ("live",), True)


def test_terms_may_come_as_json(invoke: Invoke, asked: Asked, tmp_path: Path) -> None:
    terms = tmp_path / "terms.json"
    terms.write_text(
        '{"shows": "Ada", "statement": "Yes.", "agreed_by": "Ada", "how": "signed", "expires": "2099-12-31"}'
    )
    assert invoke(*create("--consent", terms)).exit_code == 0
    assert asked[0][0].consent.expires == "2099-12-31"
    terms.write_text('{"shows": "Ada", "uses": ["everything"]}')
    assert invoke(*create("--consent", terms)).exit_code == 2


def test_somebody_else_agrees_in_a_file(invoke: Invoke, asked: Asked, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("I, Ada, agree.\n")
    assert invoke(*create("--consent", words, "--work", tmp_path / "here")).exit_code == 0
    assert asked[0][0].consent.statement == "I, Ada, agree."
    assert asked[0][1] == tmp_path / "here"
    words.write_text("")
    result = invoke(*create("--consent", words, "--replace"))
    assert result.exit_code == 2
    assert "must have 1 to" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--consent", "nobody"), "'nobody' is no text file"),
        (("--consent", "self", "--size", 300), "--size 300 is not offered. Choose one of: 512, 256"),
        (("--consent", "self", "--renderer", "huge"), "--renderer huge is not offered"),
        (("--consent", "self", "--vgg", "none.pth"), "There is no file none.pth"),
        (("--consent", "self", "--vgg", __file__), "no use for --vgg"),
        (("--consent", "self", "--device", "tpu"), "--device tpu is not offered"),
    ],
)
def test_bad_requests(invoke: Invoke, asked: Asked, options: tuple[object, ...], message: str) -> None:
    result = invoke(*create(*options))
    assert result.exit_code == 2
    assert message in result.output
    assert not asked


def test_a_name_that_is_taken_is_refused_before_hours_of_work(invoke: Invoke, asked: Asked) -> None:
    assert invoke(*create("--consent", "self")).exit_code == 0
    result = invoke(*create("--consent", "self"))
    assert result.exit_code == 2
    assert len(asked) == 1
    assert invoke(*create("--consent", "self", "--replace")).exit_code == 0


WITHOUT = """
import sys
sys.modules[{missing!r}] = None
sys.argv = ["lsp-cam", "subject", "create", {video!r}, "--name", "a", "--consent", "self", "--licence", "none"]
from lsp_cam.cli.entry import run
run()
"""


@pytest.mark.parametrize("missing", ["torch", "scipy"])
def test_without_the_train_extra(tmp_path: Path, missing: str) -> None:
    env = {**os.environ, "LSP_CAM_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", WITHOUT.format(missing=missing, video="talk.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: Making a subject needs {missing}")
    assert "[train]'" in done.stderr
