"""The store: what goes in is sound, and goes in whole or not at all, whoever is killed meanwhile."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsp_cam import archive
from lsp_cam.errors import BundleError, LspCamError, SubjectError, SubjectNotFound, UsageError
from lsp_cam.manifest import MANIFEST
from lsp_cam.store import RELEASED, Store
from lsp_cam.subject import Subject, npz_bytes
from tests import needs
from tests.bundles import Member, entry, forge, members_of, state_of, tiny_bundle, tiny_files, write_zip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that holds `old`, and nothing shipped."""
    store = Store(tmp_path / "home", tmp_path / "shipped")
    store.adopt(tiny_bundle(tmp_path / "elsewhere", "old").root)
    return store


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return tiny_bundle(tmp_path / "made", "new")


def names(store: Store) -> list[str]:
    return [subject.name for subject in store.subjects()]


def refused(store: Store, file: Path, *words: str, error: type[LspCamError] = BundleError) -> None:
    """Installing `file` fails, says all of `words`, and changes nothing."""
    before = state_of(store.folder)
    with pytest.raises(error) as caught:
        store.install(file)
    for word in words:
        assert word in str(caught.value)
    assert state_of(store.folder) == before
    assert names(store) == ["old"]


def test_there_and_back(store: Store, subject: Subject, tmp_path: Path) -> None:
    store.adopt(subject.root)
    file = tmp_path / "new.lspcam"
    store.export("new", file)
    store.remove("new")
    assert names(store) == ["old"]
    installed = store.install(file)
    installed.verify()
    assert names(store) == ["new", "old"]
    assert state_of(installed.root) == state_of(subject.root)
    assert not [p for p in store.folder.iterdir() if p.name.startswith(".") and p.name != ".lock"]


def test_exports_are_the_same_bytes(store: Store, tmp_path: Path) -> None:
    one, two = tmp_path / "one.lspcam", tmp_path / "two.lspcam"
    store.export("old", one)
    for file in store.get("old").root.rglob("*"):
        os.utime(file, (1, 1))
    store.export("old", two)
    assert one.read_bytes() == two.read_bytes()
    assert zipfile.ZipFile(one).namelist()[0] == MANIFEST


def test_export_replaces_in_one_go(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "out" / "old.lspcam"
    file.parent.mkdir()
    file.write_bytes(b"precious")
    monkeypatch.setattr(os, "fsync", lambda _: full_disk())
    with pytest.raises(SubjectError, match="could not be written"):
        store.export("old", file)
    assert state_of(file.parent) == {"old.lspcam": b"precious"}


def test_export_where_nothing_can_be_written(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        store.export("old", tmp_path)
    with pytest.raises(SubjectError, match="could not be written"):
        store.export("old", tmp_path / "missing" / "x.lspcam")


def test_export_of_a_damaged_subject(store: Store, tmp_path: Path) -> None:
    (store.get("old").root / "preview.jpg").write_bytes(b"x" * 100)
    with pytest.raises(BundleError, match=r"preview\.jpg"):
        store.export("old", tmp_path / "x.lspcam")
    assert not (tmp_path / "x.lspcam").exists()


def test_installing_the_same_name(store: Store, tmp_path: Path) -> None:
    other = tiny_bundle(tmp_path / "made", "old", {"speech.bin": b"other"})
    file = write_zip(tmp_path / "old.lspcam", members_of(other))
    refused(store, file, "installed already", "--replace", error=UsageError)
    store.install(file, replace=True)
    assert store.get("old").read("speech.bin") == b"other"
    assert names(store) == ["old"]
    assert not list(store.folder.glob(".replaced-*"))


@pytest.mark.parametrize("name", sorted(RELEASED))
def test_released_subjects_are_explained(store: Store, name: str) -> None:
    with pytest.raises(SubjectNotFound) as caught:
        store.get(name)
    message = str(caught.value)
    assert RELEASED[name] in message
    assert "LiveSpeechPortraits" in message
    assert f"lsp-cam subject import-release data/{RELEASED[name]} --apc" in message
    assert f"--name {name}" in message
    assert "Installed: old" in message


def test_unknown_subject(store: Store) -> None:
    with pytest.raises(SubjectNotFound, match=r"'you' .*Installed: old.*lsp-cam subject install FILE"):
        store.get("you")


@pytest.mark.parametrize("name", ["", "../old", "old/..", "Old", ".lock", "o\u0142d", "/", "x" * 41])
def test_names_that_are_none(store: Store, name: str) -> None:
    for action in (store.get, store.remove, store.check_free):
        with pytest.raises(BundleError, match="no name for a subject"):
            action(name)


def test_default(store: Store, tmp_path: Path) -> None:
    assert store.default().name == "old"
    store.adopt(tiny_bundle(tmp_path / "made", "demo").root)
    store.adopt(tiny_bundle(tmp_path / "made", "alice").root)
    assert store.default().name == "demo"
    store.remove("demo")
    assert store.default().name == "alice"
    with pytest.raises(SubjectNotFound, match="No subject is installed"):
        Store(tmp_path / "nowhere", tmp_path / "nowhere").default()


def test_reading_makes_nothing(tmp_path: Path) -> None:
    empty = Store(tmp_path / "home", tmp_path / "shipped")
    assert empty.subjects() == []
    with pytest.raises(SubjectNotFound):
        empty.get("may")
    assert not (tmp_path / "home").exists()


def test_one_broken_bundle_does_not_hide_the_others(store: Store, tmp_path: Path) -> None:
    (store.folder / "empty").mkdir()
    tiny_bundle(store.folder, "broken").root.joinpath(MANIFEST).write_text("{")
    tiny_bundle(store.folder, "moved").root.rename(store.folder / "elsewhere")
    found = {e.name: e.problem for e in store.entries()}
    assert list(found) == ["broken", "elsewhere", "empty", "old"]
    assert found["old"] is None
    assert "not JSON" in str(found["broken"])
    assert "holds the subject 'moved'" in str(found["elsewhere"])
    assert "missing" in str(found["empty"])
    store.remove("broken")
    assert "broken" not in {e.name for e in store.entries()}


def test_shipped_subjects(store: Store, tmp_path: Path) -> None:
    for name in ("demo", "old"):
        tiny_bundle(tmp_path / "shipped", name, {"a.onnx": b"shipped"})
    assert names(store) == ["demo", "old"]
    assert not store.get("old").has("a.onnx")  # the user's own comes first
    with pytest.raises(UsageError, match="ships with lsp-cam"):
        store.remove("demo")
    assert names(store) == ["demo", "old"]
    store.remove("old")
    assert store.get("old").has("a.onnx")
    store.adopt(tiny_bundle(tmp_path / "made", "demo").root)
    assert not store.get("demo").has("a.onnx")


def test_a_linked_subject_is_removed_and_its_target_kept(store: Store, tmp_path: Path) -> None:
    target = tiny_bundle(tmp_path / "made", "linked").root
    (store.folder / "linked").symlink_to(target)
    assert names(store) == ["linked", "old"]
    store.remove("linked")
    assert names(store) == ["old"]
    Subject.open(target).verify()


# ---- archives that a stranger made


def info(name: str, *, mode: int = 0, attributes: int = 0) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16 | attributes
    made.compress_type = zipfile.ZIP_DEFLATED
    return made


def with_member(*extra: Member) -> Callable[[list[Member]], list[Member]]:
    return lambda members: [*members, *extra]


def without(path: str) -> Callable[[list[Member]], list[Member]]:
    return lambda members: [m for m in members if m[0] != path]


def as_link(mode: int) -> Callable[[list[Member]], list[Member]]:
    return lambda members: [(info(str(n), mode=mode), d) if n == "speech.bin" else (n, d) for n, d in members]


EDITS: dict[str, tuple[Callable[[list[Member]], list[Member]], str]] = {
    "changed byte": (
        lambda m: [(n, bytes([d[0] ^ 1]) + d[1:]) if n == "preview.jpg" else (n, d) for n, d in m],
        "checksum",
    ),
    "shorter file": (lambda m: [(n, d[:-1]) if n == "preview.jpg" else (n, d) for n, d in m], "another size"),
    "longer file": (lambda m: [(n, d + b"x") if n == "preview.jpg" else (n, d) for n, d in m], "another size"),
    "missing file": (without("speech.bin"), "speech.bin is missing"),
    "missing manifest": (without(MANIFEST), "no manifest.json"),
    "nothing": (lambda _: [], "no manifest.json"),
    "extra file": (with_member(("run.py", b"x")), "run.py does not belong"),
    "extra folder": (with_member(("folder/", b"")), "not a plain path"),
    "climbs": (with_member(("../evil", b"x")), "not a plain path"),
    "absolute": (with_member(("/tmp/evil", b"x")), "not a plain path"),
    "deep": (with_member(("a/b/c", b"x")), "not a plain path"),
    "backslash": (with_member(("..\\evil", b"x")), "not a plain path"),
    "drive": (with_member(("C:evil", b"x")), "not a plain path"),
    "unicode": (with_member(("\u202egnp.exe", b"x")), "not a plain path"),
    "nul": (with_member(("speech.binQevil", b"x")), "speech.bin"),
    "symlink": (as_link(stat.S_IFLNK | 0o777), "not a plain file"),
    "device": (as_link(stat.S_IFCHR | 0o666), "not a plain file"),
    "pipe": (as_link(stat.S_IFIFO | 0o666), "not a plain file"),
    "folder mode": (as_link(stat.S_IFDIR | 0o777), "not a plain file"),
    "folder bit": (lambda m: [(info(str(n), attributes=0x10), d) for n, d in m], "not a plain file"),
    "folder link": (with_member((info("candidates2", mode=stat.S_IFLNK | 0o777), b"/etc")), "not a plain file"),
    "many": (with_member(*((f"f{i}", b"") for i in range(70))), "absurdly large"),
}


@pytest.mark.parametrize("case", sorted(EDITS))
def test_archives_of_strangers(store: Store, subject: Subject, tmp_path: Path, case: str) -> None:
    edit, word = EDITS[case]
    file = write_zip(tmp_path / "bad.lspcam", edit(members_of(subject)))
    file.write_bytes(file.read_bytes().replace(b"speech.binQevil", b"speech.bin\0evil"))
    refused(store, file, word)
    assert not (tmp_path / "evil").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("path", ["speech.bin", MANIFEST])
def test_duplicate_entries(store: Store, subject: Subject, tmp_path: Path, path: str) -> None:
    members = members_of(subject)
    refused(store, write_zip(tmp_path / "bad.lspcam", [*members, (path, dict(members)[path])]), "twice")


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda raw: raw.update(format=2), "newer"),
        (lambda raw: raw["files"]["speech.bin"].update(bytes=1 << 40), "bytes"),
        (lambda raw: raw["files"].update({"../evil": entry(b"x")}), "not a plain path"),
        (lambda raw: raw["files"].pop("speech.bin"), "does not belong"),
        (lambda raw: raw.update(name="../evil"), "no name for a subject"),
        (lambda raw: raw.update(name="m\u0430y"), "no name for a subject"),
        (lambda raw: raw.pop("consent"), "consent"),
    ],
)
def test_manifests_of_strangers(
    store: Store, subject: Subject, tmp_path: Path, edit: Callable[[dict[str, Any]], Any], word: str
) -> None:
    forge(subject, edit)
    members = [(p.relative_to(subject.root).as_posix(), p.read_bytes()) for p in subject.root.rglob("*.*")]
    refused(store, write_zip(tmp_path / "bad.lspcam", [*members]), word)


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff", b"null", b'{"format": 1e999}'])
def test_manifests_that_are_none(store: Store, tmp_path: Path, text: bytes) -> None:
    refused(store, write_zip(tmp_path / "bad.lspcam", [(MANIFEST, text)]), "bad.lspcam", MANIFEST)


def test_huge_manifest(store: Store, tmp_path: Path) -> None:
    refused(store, write_zip(tmp_path / "bad.lspcam", [(MANIFEST, os.urandom(1 << 20) + b"  ")]), "absurdly large")


@pytest.mark.parametrize(
    "arrays",
    [{"a": np.array([np.nan])}, {"a": np.array(["x"])}, {"a": np.array([1 + 2j])}],
    ids=["nan", "text", "complex"],
)
def test_arrays_are_looked_at_before_they_are_in(store: Store, tmp_path: Path, arrays: Any) -> None:
    made = tiny_bundle(tmp_path / "made", "new", {"face.npz": npz_bytes(**arrays)})
    refused(store, write_zip(tmp_path / "bad.lspcam", members_of(made)), "face.npz")
    with pytest.raises(BundleError, match=r"face\.npz"):
        store.adopt(made.root)
    assert names(store) == ["old"]


def test_bomb(store: Store, tmp_path: Path) -> None:
    made = tiny_bundle(tmp_path / "made", "new", {"speech.bin": bytes(8 << 20)})
    file = write_zip(tmp_path / "bad.lspcam", members_of(made))
    assert file.stat().st_size < 1 << 16
    refused(store, file, "grow absurdly")


def test_bomb_that_lies_about_its_size(store: Store, tmp_path: Path) -> None:
    """Directory, local header and manifest say 1000 bytes; 8 MiB would come out."""
    data = bytes(8 << 20)
    made = tiny_bundle(tmp_path / "made", "new", {"speech.bin": data})
    forge(made, lambda raw: raw["files"]["speech.bin"].update(entry(data[:1000])))
    file = write_zip(tmp_path / "bad.lspcam", members_of(made))
    file.write_bytes(file.read_bytes().replace(struct.pack("<L", len(data)), struct.pack("<L", 1000)))
    refused(store, file, "speech.bin")


def test_encrypted(store: Store, subject: Subject, tmp_path: Path) -> None:
    file = write_zip(tmp_path / "bad.lspcam", members_of(subject))
    raw = bytearray(file.read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 8] |= 1
    file.write_bytes(raw)
    refused(store, file, "encrypted")


def test_a_directory_that_points_before_the_beginning(store: Store, subject: Subject, tmp_path: Path) -> None:
    file = write_zip(tmp_path / "bad.lspcam", members_of(subject))
    raw = bytearray(file.read_bytes())
    raw[-6:-2] = struct.pack("<L", 1 << 24)  # where the directory begins, by the end record
    file.write_bytes(raw)
    refused(store, file, "bad.lspcam is damaged")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression(store: Store, subject: Subject, tmp_path: Path, method: int) -> None:
    refused(store, write_zip(tmp_path / "bad.lspcam", members_of(subject), method), "unknown way")


@pytest.mark.parametrize(
    "data", [b"", b"x", b"PK\x05\x06", b"not a zip" * 100, b"\0" * 5000, b"PK\x05\x06" + b"\xff" * 18]
)
def test_no_archive_at_all(store: Store, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "bad.lspcam"
    file.write_bytes(data)
    refused(store, file, "bad.lspcam")


def test_truncated_anywhere(store: Store, subject: Subject, tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "good.lspcam", members_of(subject)).read_bytes()
    file = tmp_path / "bad.lspcam"
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        refused(store, file, "bad.lspcam")


def test_missing_archive(store: Store, tmp_path: Path) -> None:
    refused(store, tmp_path / "missing.lspcam", "missing.lspcam", "No such file", error=UsageError)
    refused(store, tmp_path, "is not a file", error=UsageError)


def test_archive_comments_and_zip64_are_refused(store: Store, subject: Subject, tmp_path: Path) -> None:
    file = write_zip(tmp_path / "bad.lspcam", members_of(subject))
    raw = file.read_bytes()
    locator = b"PK\x06\x07" + bytes(16)
    file.write_bytes(raw[:-22] + locator + raw[-22:])
    refused(store, file, "no .lspcam archive")
    with zipfile.ZipFile(file, "w") as archive_file:
        archive_file.comment = b"hello"
    refused(store, file, "no .lspcam archive")


def test_a_directory_of_gigabytes_is_not_read(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "bad.lspcam"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 30)
        sparse.seek(0, os.SEEK_END)
        sparse.write(archive.END_RECORD.pack(b"PK\x05\x06", 0, 0, 1, 1, 1 << 30, 0, 0))
    refused(store, file, "absurdly large")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_archives_install_whole_or_not_at_all(
    store: Store, tmp_path: Path, edits: list[tuple[int, int]]
) -> None:
    shutil.rmtree(tmp_path / "fuzz", ignore_errors=True)
    made = tiny_bundle(tmp_path / "fuzz", "new", {"speech.bin": b"abc" * 20, "candidates/0.png": b"x"})
    file = write_zip(tmp_path / "bad.lspcam", members_of(made))
    raw = bytearray(file.read_bytes())
    for at, value in edits:
        raw[at % len(raw)] = value
    file.write_bytes(raw)
    try:
        installed = store.install(file)
    except (BundleError, UsageError):
        assert names(store) == ["old"]
    else:
        assert installed.read("speech.bin") == b"abc" * 20
        store.remove(installed.name)
    assert sorted(p.name for p in store.folder.iterdir()) == [".lock", "old"]


# ---- disks that are full, processes that are killed


def full_disk(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_no_room_is_seen_before_anything_is_written(
    store: Store, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_zip(tmp_path / "new.lspcam", members_of(subject))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    refused(store, file, "1 MiB are free", "Make room", error=SubjectError)


@pytest.mark.parametrize("at", ["archive._copy", "atomic.sync_tree", "atomic.tempfile.mkdtemp"])
def test_a_disk_that_fills_up_meanwhile(
    store: Store, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    file = write_zip(tmp_path / "new.lspcam", members_of(subject))
    monkeypatch.setattr(f"lsp_cam.{at}", full_disk)
    refused(store, file, "disk is full", error=SubjectError)


def test_a_store_that_cannot_be_made(tmp_path: Path, subject: Subject) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(SubjectError, match="cannot be used"):
        Store(tmp_path / "home", tmp_path / "shipped").adopt(subject.root)


def test_what_the_dead_left_is_cleared_and_what_the_living_hold_is_not(store: Store, subject: Subject) -> None:
    dead = store.folder / ".incoming-dead"
    (dead / "bundle").mkdir(parents=True)
    (store.folder / ".incoming-alone.lock").write_text("")
    with store.incoming() as living:
        store.adopt(subject.root)
        assert not dead.exists()
        assert living.is_dir()
    left = sorted(p.name for p in store.folder.iterdir())
    assert left == [".lock", "new", "old"]


def test_a_replacement_that_was_killed_is_taken_back_or_finished(store: Store, tmp_path: Path) -> None:
    old = store.folder / "old"
    old.rename(store.folder / ".replaced-old")  # killed between the renames
    assert names(store) == ["old"]
    shutil.copytree(old, store.folder / ".replaced-old")  # killed before the old one was deleted
    store.get("old").verify()
    assert sorted(p.name for p in store.folder.iterdir()) == [".lock", "old"]


# Forks a child for every file operation of an installation, and kills it right there.
KILLER = """
import json, os, shutil, signal, sys
from pathlib import Path
from lsp_cam.store import Store

home, file, replace = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "replace"
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.truncate", "fcntl.flock"}

def child(work, fatal):
    count = 0
    def hook(event, args):
        nonlocal count
        if event in EVENTS and (event == "fcntl.flock" or str(work) in str(args[0])):
            count += 1
            if count == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    Store(work, work / "none").install(file, replace=replace)
    os._exit(0)

results = []
for fatal in range(1, 500):
    work = home.with_name(f"killed-{fatal}")
    shutil.copytree(home, work)
    pid = os.fork()
    if pid == 0:
        child(work, fatal)
    _, status = os.waitpid(pid, 0)
    store = Store(work, work / "none")
    found = {}
    for entry in store.entries():
        entry.subject.verify()
        found[entry.name] = entry.subject.read("speech.bin").decode()
    store.install(file, replace=True)
    left = sorted(p.name for p in store.folder.iterdir())
    results.append([os.WIFSIGNALED(status), found, left])
    shutil.rmtree(work)
    if not os.WIFSIGNALED(status):
        break
print(json.dumps(results))
"""


@needs.fork
@pytest.mark.parametrize("mode", ["new", "replace"])
def test_killed_at_any_moment(tmp_path: Path, mode: str) -> None:
    name = "old" if mode == "replace" else "new"
    store = Store(tmp_path / "home", tmp_path / "none")
    store.adopt(tiny_bundle(tmp_path / "a", "old", {"speech.bin": b"before"}).root)
    files = {"speech.bin": b"after", "candidates/0.png": b"x", "face.npz": tiny_files()["camera.npz"]}
    file = write_zip(tmp_path / "x.lspcam", members_of(tiny_bundle(tmp_path / "b", name, files)))
    command = [sys.executable, "-c", KILLER, str(store.home), str(file), mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    results = json.loads(done.stdout)
    before = {"old": "before"}
    after = {"old": "before", "new": "after"} if mode == "new" else {"old": "after"}
    assert len(results) > 15
    for killed, found, left in results:
        assert found in ((before, after) if killed else (after,))
        assert left == [".lock", *sorted(after)]
    assert results[0][1] == before
    assert not results[-1][0]


def test_two_at_once(store: Store, tmp_path: Path) -> None:
    files = [
        write_zip(
            tmp_path / f"{i}.lspcam", members_of(tiny_bundle(tmp_path / f"made{i}", "new", {"speech.bin": b"%d" % i}))
        )
        for i in range(6)
    ]
    problems: list[BaseException] = []

    def install(file: Path) -> None:
        try:
            store.install(file)
        except LspCamError as error:
            problems.append(error)

    threads = [threading.Thread(target=install, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(problems) == 5
    assert all(isinstance(p, UsageError) for p in problems)
    store.get("new").verify()


def test_readers_never_see_a_replacement(store: Store, tmp_path: Path) -> None:
    files = [
        write_zip(
            tmp_path / f"{i}.lspcam", members_of(tiny_bundle(tmp_path / f"made{i}", "old", {"speech.bin": b"%d" % i}))
        )
        for i in range(2)
    ]
    done, seen = threading.Event(), 0

    def read() -> None:
        nonlocal seen
        while not done.is_set():
            assert store.get("old").name == "old"
            assert [entry.problem for entry in store.entries()] == [None]
            seen += 1

    reader = threading.Thread(target=read)
    reader.start()
    turn = 0
    # As many replacements as it takes on this machine for the reader to have looked between and during them.
    while reader.is_alive() and (turn < 20 or seen <= 20):
        store.install(files[turn % 2], replace=True)
        turn += 1
    done.set()
    reader.join()
    assert seen > 20


def test_files_are_the_users_alone(store: Store) -> None:
    root = store.get("old").root
    assert stat.S_IMODE(root.stat().st_mode) & 0o077 == 0
    assert all(stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 for p in root.rglob("*") if p.is_dir())
