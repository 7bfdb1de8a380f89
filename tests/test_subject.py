"""Bundles that are damaged, unsafe, newer or incomplete are refused, and the message says what to do."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_cam.errors import BundleError
from lsp_cam.manifest import MANIFEST, MAX_BUNDLE_BYTES, check_member, check_name, parse_manifest
from lsp_cam.subject import Subject, npz_bytes, write_bundle
from tests.bundles import entry, forge, manifest_fields, tiny_bundle, tiny_files


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return tiny_bundle(tmp_path)


def refused(action: Callable[[], Any], *words: str) -> None:
    """`action` raises a BundleError that says all of `words`."""
    with pytest.raises(BundleError) as caught:
        action()
    for word in words:
        assert word in str(caught.value)


def reopened(subject: Subject) -> Subject:
    return Subject.open(subject.root)


def test_a_sound_bundle_verifies_and_reads(subject: Subject) -> None:
    subject.verify()
    assert subject.read("speech.bin") == tiny_files()["speech.bin"]
    assert subject.arrays("manifold.npz", feature_base=(None, 8))["feature_base"].shape == (20, 8)
    assert subject.has("preview.jpg")
    assert not subject.has("render.onnx")


def test_changed_byte(subject: Subject) -> None:
    path = subject.root / "speech.bin"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    refused(lambda: subject.read("speech.bin"), "speech.bin", "checksum", "Install")
    refused(subject.verify, "speech.bin")


@pytest.mark.parametrize("path", ["speech.bin", "candidates/0.png"])
def test_missing_file(subject: Subject, path: str) -> None:
    (subject.root / path).unlink()
    refused(lambda: subject.read(path), path, "missing")
    refused(subject.verify, path)


def test_missing_manifest(subject: Subject) -> None:
    (subject.root / MANIFEST).unlink()
    refused(lambda: reopened(subject), MANIFEST, "missing")


def test_a_file_that_the_manifest_does_not_list(subject: Subject) -> None:
    refused(lambda: subject.read("other.onnx"), "other.onnx")
    (subject.root / "other.onnx").write_bytes(b"x")
    refused(subject.verify, "other.onnx", "does not belong")


@pytest.mark.parametrize("hidden", ["candidates/extra.png", ".hidden", "empty/../late"])
def test_extra_files_anywhere(subject: Subject, hidden: str) -> None:
    (subject.root / "empty").mkdir()
    (subject.root / hidden).write_bytes(b"x")
    refused(subject.verify, "does not belong")


CLIMBING = [
    "../speech.bin", "/etc/passwd", "a/../../b", "a/b/c", "./a", "a//b", "a/", "", ".", "..", "C:/x", "C:x", "a\\b",
    "..\\b", ".hidden", "a/.b", "a\0b", "a\nb", "con", "NUL.npz", "a/com1.txt", "a.", "a ", " a", "-x", "x" * 65,
    "caf\u00e9.npz", "cafe\u0301.npz", "\u202egnp.exe", "\uff0e\uff0e/x", "\u2024\u2024/x", "speech\u200b.onnx",
    "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("path", CLIMBING)
def test_paths_that_climb_out_or_deceive(subject: Subject, path: str) -> None:
    refused(lambda: check_member(path), "not a plain path")
    forge(subject, lambda raw: raw["files"].update({path: entry(b"x")}))
    refused(lambda: reopened(subject), "not a plain path")


@pytest.mark.parametrize("path", ["speech.bin", "render_constants.onnx", "candidates/0.png", "a-b_c.tar.gz", "x", "_y"])
def test_plain_paths(path: str) -> None:
    assert check_member(path) == path


@pytest.mark.parametrize("twin", ["Speech.bin", "MANIFEST.json", "manifest.json", "signature.json", "candidates"])
def test_names_that_some_file_system_takes_for_one(subject: Subject, twin: str) -> None:
    forge(subject, lambda raw: raw["files"].update({twin: entry(b"x")}))
    refused(lambda: reopened(subject), "twice")


def test_symlink_to_a_file(subject: Subject, tmp_path: Path) -> None:
    path = subject.root / "speech.bin"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    refused(lambda: subject.read("speech.bin"), "speech.bin", "symbolic link")
    refused(subject.verify, "symbolic link")


def test_symlink_to_a_folder(subject: Subject, tmp_path: Path) -> None:
    path = subject.root / "candidates"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    refused(lambda: subject.read("candidates/0.png"), "symbolic link")
    refused(subject.verify, "symbolic link")


def test_symlink_in_place_of_the_manifest(subject: Subject, tmp_path: Path) -> None:
    path = subject.root / MANIFEST
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    refused(lambda: reopened(subject), MANIFEST)


def test_extra_symlink(subject: Subject, tmp_path: Path) -> None:
    (subject.root / "link").symlink_to(tmp_path)
    refused(subject.verify, "link", "does not belong")


@pytest.mark.parametrize("size", [1 << 62, 1 << 30 | 1, -1, "big", None, 1e300])
def test_absurd_size(subject: Subject, size: Any) -> None:
    forge(subject, lambda raw: raw["files"]["speech.bin"].update(bytes=size))
    refused(lambda: reopened(subject), "speech.bin", "bytes")


def test_absurd_sizes_together(subject: Subject) -> None:
    part = MAX_BUNDLE_BYTES // 4
    forge(subject, lambda raw: raw["files"].update({f"f{i}": {**entry(b""), "bytes": part} for i in range(5)}))
    refused(lambda: reopened(subject), "absurdly large")


def test_too_many_files(subject: Subject) -> None:
    forge(subject, lambda raw: raw["files"].update({f"f{i}": entry(b"") for i in range(100)}))
    refused(lambda: reopened(subject), "files")


@pytest.mark.parametrize("real", [2999, 3001, 0])
def test_size_other_than_listed(subject: Subject, real: int) -> None:
    (subject.root / "speech.bin").write_bytes(b"x" * real)
    refused(lambda: subject.read("speech.bin"), "speech.bin", "size")


def test_newer_format(subject: Subject) -> None:
    forge(subject, lambda raw: raw.update(format=2, brand_new={}))
    refused(lambda: reopened(subject), "newer", "Upgrade")


@pytest.mark.parametrize("number", [0, -1, "1x", None, [1], 1.5])
def test_unknown_format(subject: Subject, number: Any) -> None:
    forge(subject, lambda raw: raw.update(format=number))
    refused(lambda: reopened(subject), "format")


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"not json", b"\xff\xfe", b"[]", b"null", b"1" * 5000, b"[" * 100_000, b'{"a":' * 50_000,
        b'{"format": NaN}', b'{"format": 1, "format": 1}', b"\0" * 10, '{"format": 1}'.encode("utf-16"),
    ],
)  # fmt: skip
def test_manifest_that_is_none(subject: Subject, text: bytes) -> None:
    (subject.root / MANIFEST).write_bytes(text)
    refused(lambda: reopened(subject), MANIFEST)


def test_huge_manifest(subject: Subject) -> None:
    (subject.root / MANIFEST).write_bytes(b" " * (1 << 21))
    refused(lambda: reopened(subject), "absurdly large")


@pytest.mark.parametrize("field", ["name", "title", "licence", "consent", "provenance", "created", "settings", "files"])
def test_manifest_without_a_field(subject: Subject, field: str) -> None:
    forge(subject, lambda raw: raw.pop(field))
    refused(lambda: reopened(subject), field)


def test_manifest_with_an_unknown_field(subject: Subject) -> None:
    forge(subject, lambda raw: raw.update(run="rm -rf"))
    refused(lambda: reopened(subject), "run")


@pytest.mark.parametrize("digest", ["", "g" * 64, "A" * 64, "0" * 63, None])
def test_checksum_that_is_none(subject: Subject, digest: Any) -> None:
    forge(subject, lambda raw: raw["files"]["speech.bin"].update(sha256=digest))
    refused(lambda: reopened(subject), "sha256")


@pytest.mark.parametrize(
    "name",
    ["", "May", "a b", "../may", "a/b", "-x", "_x", "x" * 41, "m\u0430y", "may\n", "caf\u00e9", ".x", "\uff4day"],
)
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    refused(lambda: check_name(name), "no name for a subject")
    refused(lambda: write_bundle(tmp_path / "b", manifest_fields(name), {}), "no name for a subject")


@pytest.mark.parametrize("name", ["may", "0", "obama2", "a-b_c", "x" * 40])
def test_names(name: str) -> None:
    assert check_name(name) == name


def npy(array: Any, *, pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickle)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return buffer.getvalue()


class Bomb:
    """Would leave a file behind if anybody unpickled it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


def test_pickled_arrays_are_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "pwned"
    subject = tiny_bundle(tmp_path, files={"face.npz": zipped(a=npy(np.array([Bomb(trace)]), pickle=True))})
    refused(lambda: subject.arrays("face.npz", a=(None,)), "face.npz", "cannot be read")
    refused(subject.verify, "face.npz")
    assert not trace.exists()


def absurd_header() -> bytes:
    """An .npy that promises far more than it holds."""
    good = npy(np.zeros(3, np.float32))
    return good.replace(b"(3,)", b"(1099511627776,)").replace(b" " * 13 + b"\n", b"\n")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04 not really", "cannot be read"),
        (npz_bytes(a=np.zeros(3))[:-30], "cannot be read"),
        (npy(np.zeros(3)), "cannot be read"),
        (zipped(a=b"no numpy"), "not an array of numbers"),
        (zipped(a=absurd_header()), "cannot be read"),
        (npz_bytes(a=np.array([1.0, np.nan])), "not finite"),
        (npz_bytes(a=np.array([np.inf], np.float32)), "not finite"),
        (npz_bytes(a=np.array(["text"])), "not an array of numbers"),
        (npz_bytes(a=np.zeros(2, np.complex64)), "not an array of numbers"),
        (npz_bytes(a=np.zeros(2, [("x", "f4")])), "not an array of numbers"),
        (npz_bytes(a=np.zeros(2, "M8[s]")), "not an array of numbers"),
    ],
)
def test_arrays_that_are_none(tmp_path: Path, data: bytes, word: str) -> None:
    subject = tiny_bundle(tmp_path, files={"face.npz": data})
    refused(lambda: subject.arrays("face.npz", a=(None,)), "face.npz", word)
    refused(subject.verify, "face.npz", word)


def test_array_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_cam.subject.MAX_ARRAY_BYTES", 1 << 24)
    bomb = zipped(a=npy(np.zeros(1 << 21, np.float64)))  # 16 MiB, and a header
    assert len(bomb) < 1 << 16
    refused(tiny_bundle(tmp_path, files={"face.npz": bomb}).verify, "absurd size")


@pytest.mark.parametrize(
    ("shape", "words"), [((20, 9), "shape"), ((20,), "shape"), ((None, 8, 1), "shape"), ((21, None), "shape")]
)
def test_misshapen_arrays(subject: Subject, shape: tuple[int | None, ...], words: str) -> None:
    refused(lambda: subject.arrays("manifold.npz", feature_base=shape), "feature_base", words)
    refused(lambda: subject.arrays("manifold.npz", other=shape), "no array 'other'")


def test_write_bundle_is_readable_by_people(subject: Subject) -> None:
    text = (subject.root / MANIFEST).read_text()
    assert json.loads(text)["files"]["preview.jpg"]["bytes"] == 100
    assert text.count("\n") > 10


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(raw=st.binary(max_size=300) | json_values.map(lambda v: json.dumps(v).encode()))
def test_no_manifest_gets_further_than_a_bundle_error(raw: bytes) -> None:
    refused(lambda: parse_manifest(raw, "fuzz"), "fuzz")


@settings(max_examples=300, deadline=None)
@given(
    key=st.sampled_from(["format", "name", "title", "consent", "settings", "files", "created", "new"]),
    value=json_values,
)
def test_one_field_replaced(key: str, value: Any) -> None:
    raw = {"format": 1, **manifest_fields("x"), "files": {"a.npz": entry(b"x")}, key: value}
    with suppress(BundleError):
        parsed = parse_manifest(json.dumps(raw).encode(), "fuzz")
        assert check_name(parsed.name)
        assert all(check_member(path) for path in parsed.files)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_damaged_arrays_never_crash(tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, flip: int) -> None:
    sound = bytearray(npz_bytes(a=np.arange(30, dtype=np.float32)))
    sound[flip % len(sound)] ^= 0xFF
    for raw in (data, bytes(sound), bytes(sound[:cut])):
        subject = tiny_bundle(tmp_path_factory.mktemp("fuzz"), files={"face.npz": raw})
        with suppress(BundleError):
            subject.verify()
