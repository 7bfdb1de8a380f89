"""`lsp-cam subject`: nothing is lost, and every refusal says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lsp_cam.cli import subject as commands
from lsp_cam.manifest import MANIFEST
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from tests.bundles import members_of, state_of, tiny_bundle, write_zip
from tests.cli.conftest import Invoke


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_zip(tmp_path / "tiny.lspcam", members_of(tiny_bundle(tmp_path / "made", "tiny")))


@pytest.fixture
def tiny(home: Path, archive: Path) -> Subject:
    return Store().install(archive)


def test_list_of_nothing(invoke: Invoke, home: Path) -> None:
    result = invoke("subject", "list")
    assert result.exit_code == 0
    assert "lsp-cam subject install FILE" in result.output
    assert json.loads(invoke("subject", "list", "--json").output) == []
    assert not home.exists()


def test_list(invoke: Invoke, tiny: Subject) -> None:
    tiny_bundle(tiny.root.parent, "broken").root.joinpath(MANIFEST).write_text("{")
    result = invoke("subject", "list")
    assert result.exit_code == 0
    assert "Test subject tiny" in result.output
    assert "damaged: broken: manifest.json is damaged" in result.output
    found = {entry["name"]: entry for entry in json.loads(invoke("subject", "list", "--json").output)}
    assert found["tiny"]["problem"] is None
    assert found["tiny"]["bytes"] == sum(e.bytes for e in tiny.manifest.files.values())
    assert found["tiny"]["removable"] is True
    assert "not JSON" in found["broken"]["problem"]
    assert found["broken"]["title"] is None


def test_show(invoke: Invoke, tiny: Subject) -> None:
    result = invoke("subject", "show", "tiny")
    for word in ("nobody", "drawn by a program", "CC0-1.0", "made by a test", "mouth.look_ahead", "18", "speech.bin"):
        assert word in result.output
    told = json.loads(invoke("subject", "show", "tiny", "--json").output)
    assert told["consent"]["shows"] == "nobody"
    assert told["consent"]["statement"] == "drawn by a program"
    assert told["path"] == str(tiny.root)
    assert told["files"].keys() == tiny.manifest.files.keys()


def test_titles_are_not_taken_for_markup(invoke: Invoke, home: Path) -> None:
    root = tiny_bundle(home / "subjects", "x").root
    manifest = root / MANIFEST
    manifest.write_text(manifest.read_text().replace("Test subject x", "[link=http://x]click[/link] \\u001b[2J"))
    for command in (("list",), ("show", "x")):
        output = invoke("subject", *command).output
        assert "[link=http://x]click[/link]" in output
        assert "\x1b[2J" not in output


def test_unknown_subject(invoke: Invoke, tiny: Subject) -> None:
    for command in ("show", "verify", "remove"):
        result = invoke("subject", command, "may")
        assert result.exit_code == 1
        assert "lsp-cam subject import-release data/May --apc data/APC_epoch_160.model --name may" in result.output
        assert "Installed: tiny." in result.output


@pytest.mark.parametrize("name", ["../tiny", "Tiny", "t\u0456ny", "", "/etc"])
def test_names_that_are_none(invoke: Invoke, tiny: Subject, name: str) -> None:
    before = state_of(tiny.root.parent)
    for arguments in (["show", name], ["verify", name], ["remove", name, "--yes"], ["export", name, "x.lspcam"]):
        result = invoke("subject", *arguments)
        assert result.exit_code == 1
        assert "no name for a subject" in result.output
    assert state_of(tiny.root.parent) == before


def test_verify(invoke: Invoke, tiny: Subject) -> None:
    result = invoke("subject", "verify", "tiny")
    assert result.exit_code == 0
    assert "5 files" in result.output
    (tiny.root / "speech.bin").write_bytes(b"x" * 3000)
    result = invoke("subject", "verify", "tiny")
    assert result.exit_code == 1
    assert "error: tiny: speech.bin was changed" in result.output


def test_install_export_and_back(invoke: Invoke, home: Path, archive: Path, tmp_path: Path) -> None:
    result = invoke("subject", "install", archive)
    assert result.exit_code == 0
    for word in ("Installed 'tiny'", "nobody", "drawn by a program", "CC0-1.0", "lsp-cam start --subject tiny"):
        assert word in result.output
    before = state_of(home / "subjects")
    assert invoke("subject", "export", "tiny", tmp_path / "out.lspcam").exit_code == 0
    assert invoke("subject", "remove", "tiny", "--yes").exit_code == 0
    assert state_of(home / "subjects") == {}
    assert invoke("subject", "install", tmp_path / "out.lspcam").exit_code == 0
    assert state_of(home / "subjects") == before


def test_install_over_another(invoke: Invoke, tiny: Subject, tmp_path: Path) -> None:
    other = tiny_bundle(tmp_path / "other", "tiny", {"speech.bin": b"other"})
    file = write_zip(tmp_path / "other.lspcam", members_of(other))
    before = state_of(tiny.root)
    result = invoke("subject", "install", file)
    assert result.exit_code == 2
    assert "--replace" in result.output
    assert state_of(tiny.root) == before
    assert invoke("subject", "install", file, "--replace").exit_code == 0
    assert Store().get("tiny").read("speech.bin") == b"other"


@pytest.mark.parametrize("data", [None, b"", b"no zip at all", b"PK\x03\x04"])
def test_install_of_what_is_none(invoke: Invoke, tiny: Subject, tmp_path: Path, data: bytes | None) -> None:
    file = tmp_path / "bad[1].lspcam"
    if data is not None:
        file.write_bytes(data)
    before = state_of(tiny.root.parent)
    result = invoke("subject", "install", file, "--replace")
    assert result.exit_code in (1, 2)
    assert "bad[1].lspcam" in result.output
    assert state_of(tiny.root.parent) == before


def test_remove_without_anybody_to_ask(invoke: Invoke, tiny: Subject) -> None:
    result = invoke("subject", "remove", "tiny", stdin="")
    assert result.exit_code == 2
    assert "--yes" in result.output
    assert str(tiny.root) in result.output
    tiny.verify()


@pytest.mark.parametrize(("reply", "left"), [("n\n", True), ("\n", True), ("", True), ("y\n", False)])
def test_remove_asks(invoke: Invoke, tiny: Subject, monkeypatch: pytest.MonkeyPatch, reply: str, left: bool) -> None:
    monkeypatch.setattr(commands, "_asks", lambda: True)
    result = invoke("subject", "remove", "tiny", stdin=reply)
    assert result.exit_code == int(left)
    assert tiny.root.exists() is left


def test_remove_a_damaged_one(invoke: Invoke, tiny: Subject) -> None:
    (tiny.root / MANIFEST).unlink()
    assert invoke("subject", "remove", "tiny", "--yes").exit_code == 0
    assert not tiny.root.exists()


def test_remove_what_ships_with_the_program(
    invoke: Invoke, tiny: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = tiny_bundle(tmp_path / "checkout" / "subjects", "demo")
    monkeypatch.setattr("lsp_cam.folders.checkout", lambda: tmp_path / "checkout")
    result = invoke("subject", "remove", "demo", "--yes")
    assert result.exit_code == 2
    assert "ships with lsp-cam" in result.output
    demo.verify()
    assert "ships with lsp-cam" in invoke("subject", "list").output


def test_remove_the_one_on_show(invoke: Invoke, tiny: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_shown_now", lambda: "tiny")
    result = invoke("subject", "remove", "tiny", "--yes")
    assert result.exit_code == 1
    assert "lsp-cam stop" in result.output
    tiny.verify()


def test_what_a_daemon_shows(home: Path) -> None:
    from lsp_cam.daemon.runtime import Record, Runtime

    assert commands._shown_now() is None
    runtime = Runtime()
    runtime.acquire()
    runtime.write_record(Record(pid=1, started_s=0.0, state="running", subject="tiny"))
    assert commands._shown_now() == "tiny"
    runtime.release()
    assert commands._shown_now() is None


def release(*options: str | Path) -> list[str | Path]:
    return ["subject", "import-release", "folder", "--apc", "apc.model", *options]


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
sys.argv = ["lsp-cam", "subject", "import-release", "folder", "--apc", "apc.model", "--name", "may"]
from lsp_cam.cli.entry import run
run()
"""


def test_import_release_without_the_train_extra(tmp_path: Path) -> None:
    env = {**os.environ, "LSP_CAM_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Importing a release needs torch")
    assert f"{sys.executable} -m pip install " in done.stderr
    assert "[train]'" in done.stderr
    assert not (tmp_path / "home").exists()


def test_import_release(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    asked: list[Any] = []

    def convert(folder: Path, apc: Path, settings: Path | None, name: str, target: Path) -> Subject:
        asked.append((folder, apc, settings, name))
        assert not target.exists()
        return Subject.open(tiny_bundle(target.parent, name).root.rename(target))

    monkeypatch.setattr(commands, "_converter", lambda: convert)
    result = invoke(*release("--name", "may", "--settings", "may.yaml"))
    assert result.exit_code == 0
    assert "Installed 'may'" in result.output
    assert asked == [(Path("folder"), Path("apc.model"), Path("may.yaml"), "may")]
    assert [p.name for p in (home / "subjects").iterdir() if p.name != ".lock"] == ["may"]
    # What exists already, and what is no name, is said before the long work.
    assert invoke(*release("--name", "may")).exit_code == 2
    assert invoke(*release("--name", "M y")).exit_code == 1
    assert len(asked) == 1
    assert invoke(*release("--name", "may", "--replace")).exit_code == 0


def test_import_release_that_fails_leaves_nothing(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    def convert(*_: Any) -> Subject:
        tiny_bundle(_[-1].parent, "half")
        raise RuntimeError("torch says no")

    monkeypatch.setattr(commands, "_converter", lambda: convert)
    result = invoke(*release("--name", "may"))
    assert result.exit_code == 70
    assert "torch says no" in result.output
    assert state_of(home / "subjects") == {}


def test_import_of_a_whole_release(invoke: Invoke, release_folder: Callable[[], Path]) -> None:
    folder = release_folder()
    options = ["--apc", folder / "APC_epoch_160.model", "--settings", folder / "Fixture.yaml", "--name", "fixture"]
    assert invoke("subject", "import-release", folder / "Fixture", *options).exit_code == 0
    assert invoke("subject", "verify", "fixture").exit_code == 0
    assert "authors" in invoke("subject", "show", "fixture").output
