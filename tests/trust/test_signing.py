"""Signed bundles: what a signature covers, who is believed, and what happens when somebody else signs."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lsp_cam.errors import BundleError, SignerError, SubjectError, UsageError
from lsp_cam.manifest import MANIFEST
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from lsp_cam.trust.permission import permit
from lsp_cam.trust.signing import SIGNATURE, check_signature, key_file, own_fingerprint, own_key, sign_manifest
from tests.bundles import entry, forge, members_of, tiny_bundle, write_zip
from tests.cli.conftest import Invoke


def signed_archive(folder: Path, key: Ed25519PrivateKey | None, name: str = "tiny") -> Path:
    """An archive of a subject that `key` signed (None: nobody)."""
    folder.mkdir()
    subject = tiny_bundle(folder, name)
    members = members_of(subject)
    if key is not None:
        members.append((SIGNATURE, sign_manifest(subject.text, key)))
    return write_zip(folder / f"{name}.lspcam", members)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home", tmp_path / "nothing")


def test_there_and_back(store: Store, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    subject = store.install(signed_archive(tmp_path / "a", key))
    assert subject.signer == own_fingerprint(key)
    subject.verify()
    store.export("tiny", tmp_path / "out.lspcam")
    elsewhere = Store(tmp_path / "elsewhere", tmp_path / "nothing")
    assert elsewhere.install(tmp_path / "out.lspcam").signer == subject.signer
    assert elsewhere.adopt(subject.root, replace=True).signer == subject.signer


EDITS: dict[str, Any] = {
    "consent": lambda raw: raw["consent"].update(statement="Do as you please."),
    "uses": lambda raw: raw["consent"].update(uses=["live", "render", "call"]),
    "settings": lambda raw: raw["settings"].update(mouth={"look_ahead": 1}),
    "files": lambda raw: raw["files"].update({"preview.jpg": entry(b"another face")}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_whatever_is_edited_is_found(store: Store, tmp_path: Path, edit: str) -> None:
    subject = store.install(signed_archive(tmp_path / "a", Ed25519PrivateKey.generate()))
    forge(subject, EDITS[edit])
    with pytest.raises(BundleError, match="changed after it was signed"):
        store.get("tiny")


@pytest.mark.parametrize("text", [b"", b"{}", b"x" * 5000, b'{"key": "00", "signature": "00"}', b"\xff"])
def test_signatures_that_are_none(store: Store, tmp_path: Path, text: bytes) -> None:
    archive = signed_archive(tmp_path / "a", None)
    members = [*members_of(Subject.open(tmp_path / "a/tiny")), (SIGNATURE, text)]
    with pytest.raises(BundleError, match="signature"):
        store.install(write_zip(archive, members))
    assert not store.subjects()


@pytest.mark.parametrize("key", ["00" * 32, "00" * 31 + "80", "01" + "00" * 31])
def test_a_key_under_which_made_up_signatures_are_valid(key: str) -> None:
    """The neutral element's is (S = 0, R = the neutral element), of any message; of order 4, every fourth or so."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    forged = (key if key.startswith("01") else "00" * 32) + "00" * 32
    if key.startswith("01"):
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(forged), b"anything")
    signature = json.dumps({"key": key, "signature": forged}).encode()
    for number in range(20):
        with pytest.raises(BundleError, match="was changed after it was signed"):
            check_signature(f"manifest {number}".encode(), signature, "ada")


def test_a_signature_of_another_bundle(store: Store, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    signed_archive(tmp_path / "a", None)
    other = sign_manifest(b"another manifest", key)
    members = [*members_of(Subject.open(tmp_path / "a/tiny")), (SIGNATURE, other)]
    with pytest.raises(BundleError, match="changed after it was signed"):
        store.install(write_zip(tmp_path / "b.lspcam", members))


def test_a_linked_signature_is_not_followed(tmp_path: Path) -> None:
    subject = tiny_bundle(tmp_path)
    (tmp_path / "s").write_bytes(sign_manifest(subject.text, Ed25519PrivateKey.generate()))
    (subject.root / SIGNATURE).symlink_to(tmp_path / "s")
    with pytest.raises(BundleError, match="signature"):
        Subject.open(subject.root)


def test_the_first_signer_is_believed_and_another_is_refused(home: Path, invoke: Invoke, tmp_path: Path) -> None:
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    said = invoke("subject", "install", signed_archive(tmp_path / "a", first)).output
    assert own_fingerprint(first) in said
    assert "first time" in said
    for number, key in enumerate((second, None)):
        got = invoke("subject", "install", signed_archive(tmp_path / str(number), key), "--replace")
        assert got.exit_code == 1
        assert f"lsp-cam trust remove {own_fingerprint(first)}" in got.output
    assert Store().get("tiny").signer == own_fingerprint(first)
    again = invoke("subject", "install", signed_archive(tmp_path / "c", first), "--replace")
    assert again.exit_code == 0
    assert "first time" not in again.output
    assert invoke("trust", "remove", own_fingerprint(first)).output.strip().endswith("tiny.")
    assert invoke("subject", "install", signed_archive(tmp_path / "d", second), "--replace").exit_code == 0


def test_a_bundle_that_took_the_place_of_another_is_not_shown(home: Path, tmp_path: Path) -> None:
    """Not installed over it, but put there: the door to showing it asks too."""
    store = Store()
    subject = store.install(signed_archive(tmp_path / "a", Ed25519PrivateKey.generate()))
    assert "first time" in permit(subject, "live")
    assert "first time" not in permit(subject, "live")
    for key in (None, Ed25519PrivateKey.generate()):
        (subject.root / SIGNATURE).unlink(missing_ok=True)
        if key:
            (subject.root / SIGNATURE).write_bytes(sign_manifest(subject.text, key))
        with pytest.raises(SignerError, match="another bundle in its place"):
            permit(store.get("tiny"), "live")


def test_signing_with_the_own_key(home: Path, invoke: Invoke, tmp_path: Path) -> None:
    invoke("subject", "install", signed_archive(tmp_path / "a", None))
    said = invoke("subject", "sign", "tiny")
    assert said.exit_code == 0, said.output
    fingerprint = own_fingerprint(own_key())
    assert Store().get("tiny").signer == fingerprint
    assert fingerprint in invoke("trust", "key").output
    assert fingerprint in invoke("subject", "show", "tiny").output
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "trusted.json").stat().st_mode) == 0o600
    assert json.loads(invoke("trust", "list", "--json").output)["subjects"] == {"tiny": fingerprint}


def test_known_signers_and_their_names(home: Path, invoke: Invoke) -> None:
    fingerprint = own_fingerprint(Ed25519PrivateKey.generate())
    assert "No signer" in invoke("trust", "list").output
    assert invoke("trust", "add", fingerprint.upper(), "--label", "Anna").exit_code == 0
    listed = invoke("trust", "list").output
    assert fingerprint in listed
    assert "Anna" in listed
    assert invoke("trust", "remove", fingerprint).exit_code == 0
    for words in (("add", "x"), ("remove", fingerprint), ("remove", "../x")):
        got = invoke("trust", *words)
        assert got.exit_code == 2, words


def test_damaged_files_of_trust_are_told(home: Path, invoke: Invoke) -> None:
    home.mkdir()
    (home / "trusted.json").write_text("{")
    assert "Correct it" in invoke("trust", "list").output
    (home / "signing.key").write_text("secret")
    with pytest.raises(UsageError, match=r"signing\.key"):
        own_key()


def test_a_bundle_swapped_between_check_and_load(tmp_path: Path) -> None:
    """The manifest is read once; whatever is swapped after that differs from it."""
    subject = tiny_bundle(tmp_path)
    subject.verify()
    other = tiny_bundle(tmp_path, "other", {"speech.onnx": b"", "preview.jpg": b"a stranger's"})
    for path in (MANIFEST, "preview.jpg"):
        (other.root / path).replace(subject.root / path)
    with pytest.raises(SubjectError, match=r"preview\.jpg"):
        subject.read("preview.jpg")
