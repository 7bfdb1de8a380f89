"""What `setup` finds in a system and would do to it, in a folder that stands for the system's root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lsp_cam.errors import UsageError
from lsp_cam.setup import facts as facts_of
from lsp_cam.setup.facts import SECURE_BOOT, Facts, facts
from lsp_cam.setup.plan import FILES, LOAD_FILE, OPTIONS_FILE, RECORD, Record, plan, read_record, undo

RELEASE = "6.1.0-99-amd64"
BARE = Facts(
    family="debian",
    release=RELEASE,
    user="ada",
    member=False,
    driver=False,
    loaded=False,
    fit=False,
    missing=("v4l2loopback-dkms", f"linux-headers-{RELEASE}"),
    buildable=True,
    signed_only=False,
    others=(),
)


@pytest.fixture
def debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_of, "system", lambda: "debian")


def put(root: Path, path: Path | str, text: str) -> Path:
    file = root / str(path).lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def carried_out(root: Path, found: Facts) -> Record:
    """As if the plan had been carried out below `root`, as far as files go."""
    for step in plan(found, root):
        if step.text is not None:
            put(root, step.command[-1], step.text)
    record = read_record(root)
    assert record is not None
    return record


DRIVER, HEADERS = "v4l2loopback-dkms", f"linux-headers-{RELEASE}"
IMAGES = (
    "ii  linux-image-6.1.0-99-amd64\nii  linux-image-amd64\nun  linux-image-cloud-amd64\nii  linux-image-amd64-dbg\n"
)


@pytest.mark.usefixtures("debian")
@pytest.mark.parametrize(
    ("lists", "buildable"),
    [({DRIVER, HEADERS}, True), ({DRIVER}, False), (set(), True)],
    ids=["a kernel of Debian's", "a kernel of another's", "nobody has asked for the lists yet"],
)
def test_the_driver_is_built_where_there_are_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: set[str], buildable: bool
) -> None:
    """With later kernels' headers; else there is what a PipeWire camera takes, and no step for the driver."""

    def asked(command: list[str]) -> str | None:
        if command[-1] == "linux-image-*":
            return IMAGES
        return "known" if command[0] == "apt-cache" and command[-1] in lists else None

    monkeypatch.setattr(facts_of, "_asked", asked)
    found = facts(tmp_path, RELEASE)
    assert found.buildable == buildable
    driver, sound = {DRIVER, HEADERS, "linux-headers-amd64"}, set(facts_of.SOUND["debian"])
    wanted = driver if buildable else set(facts_of.FALLBACK["debian"])
    assert set(found.missing) - sound == wanted
    commands = [" ".join(step.command) for step in plan(found, tmp_path)]
    assert any(command.startswith("apt-get install") for command in commands)
    assert any("modprobe" in command for command in commands) == buildable


@pytest.mark.usefixtures("debian")
def test_a_bare_system(tmp_path: Path) -> None:
    (tmp_path / "lib/modules" / RELEASE / "build").mkdir(parents=True)
    found = facts(tmp_path, RELEASE)
    assert (found.driver, found.loaded, found.fit, found.signed_only, found.others) == (False, False, False, False, ())
    assert "v4l2loopback-dkms" in found.missing
    assert f"linux-headers-{RELEASE}" in found.missing
    assert found.buildable, "there are headers"


@pytest.mark.usefixtures("debian")
def test_a_system_that_has_all(tmp_path: Path) -> None:
    put(tmp_path, f"lib/modules/{RELEASE}/updates/dkms/v4l2loopback.ko.xz", "")
    put(tmp_path, "sys/module/v4l2loopback/parameters/exclusive_caps", "Y,N,N\n")
    put(tmp_path, "sys/devices/virtual/video4linux/video0/name", "LSP Cam\n")
    obs = put(tmp_path, "etc/modprobe.d/obs.conf", "# for OBS\noptions v4l2loopback exclusive_caps=0\n")
    put(tmp_path, "etc/modprobe.d/other.conf", "options snd_hda_intel model=x\n# options v4l2loopback\n")
    (tmp_path / SECURE_BOOT).parent.mkdir(parents=True)
    (tmp_path / SECURE_BOOT).write_bytes(b"\6\0\0\0\1")
    found = facts(tmp_path, RELEASE)
    assert (found.driver, found.loaded, found.fit, found.signed_only) == (True, True, True, True)
    assert found.others == (obs,)
    assert not any("v4l2loopback" in package for package in found.missing)
    carried_out(tmp_path, replace(found, missing=(), member=True))
    assert plan(replace(found, missing=(), member=True), tmp_path) == []
    put(tmp_path, "sys/module/v4l2loopback/parameters/exclusive_caps", "N,N,N\n")
    assert not facts(tmp_path, RELEASE).fit


def test_where_setup_knows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_of, "system", lambda: "linux")
    with pytest.raises(UsageError, match="Debian, Fedora, Arch, openSUSE"):
        facts(tmp_path)


def test_everything_is_noted_before_it_is_done(tmp_path: Path) -> None:
    commands = [step.command for step in plan(BARE, tmp_path)]
    assert commands[:2] == [("mkdir", "-p", "/var/lib/lsp-cam"), ("tee", str(RECORD))]
    assert commands[2] == ("apt-get", "update")
    assert commands[3][:2] == ("apt-get", "install")
    assert commands[3][-2:] == BARE.missing
    assert commands[4:] == [
        ("tee", str(OPTIONS_FILE)),
        ("tee", str(LOAD_FILE)),
        ("usermod", "-aG", "video", "ada"),
        ("modprobe", "v4l2loopback"),
    ]
    loaded = [step.command for step in plan(replace(BARE, loaded=True), tmp_path)]
    assert loaded[-2:] == [("modprobe", "-r", "v4l2loopback"), ("modprobe", "v4l2loopback")]


def test_a_step_is_shown_as_a_shell_takes_it(tmp_path: Path) -> None:
    step = next(step for step in plan(BARE, tmp_path) if step.command == ("tee", str(LOAD_FILE)))
    assert step.shown(("sudo",)).endswith("v4l2loopback\n' | sudo tee /etc/modules-load.d/lsp-cam.conf")


def test_undo_takes_away_what_was_written_and_nothing_else(tmp_path: Path) -> None:
    record = carried_out(tmp_path, BARE)
    assert set(record.files) == {str(path) for path in FILES}
    assert record.group == "ada"
    steps, left = undo(record, tmp_path)
    assert left == []
    assert [step.command for step in steps[:2]] == [("rm", str(OPTIONS_FILE)), ("rm", str(LOAD_FILE))]
    assert ("rm", str(RECORD)) in [step.command for step in steps]
    assert not any("gpasswd" in step.command for step in steps), "nobody called ada is in the group"
    put(tmp_path, OPTIONS_FILE, "options v4l2loopback devices=4\n")
    steps, left = undo(record, tmp_path, loaded=True)
    assert steps[0].command == ("modprobe", "-r", "v4l2loopback")
    assert ("rm", str(OPTIONS_FILE)) not in [step.command for step in steps]
    assert left == [f"{OPTIONS_FILE} was changed since; it stays."]


def test_a_second_setup_keeps_what_the_first_noted(tmp_path: Path) -> None:
    first = carried_out(tmp_path, BARE)
    (tmp_path / str(LOAD_FILE).lstrip("/")).unlink()
    second = carried_out(tmp_path, replace(BARE, missing=("libportaudio2",), member=True))
    assert second.files == first.files
    assert second.packages == (*BARE.missing, "libportaudio2")
    assert second.group == "ada"


def test_a_damaged_note_is_told_of(tmp_path: Path) -> None:
    put(tmp_path, RECORD, "{")
    with pytest.raises(UsageError, match="damaged"):
        read_record(tmp_path)
