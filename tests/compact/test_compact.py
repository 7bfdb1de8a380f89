"""The demo subject's compact form: small, sound, signed by whom it was, and hardly another picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lsp_cam.archive import pack
from lsp_cam.backends.choose import open_engine
from lsp_cam.call.passing import PIECE_BYTES, piece
from lsp_cam.compact.cost import MOST_DB, psnr_db
from lsp_cam.compact.kept import for_calls
from lsp_cam.compact.making import compact
from lsp_cam.errors import BundleError, UsageError
from lsp_cam.folders import HOME_VARIABLE
from lsp_cam.manifest import hash_of
from lsp_cam.pipeline import Pipeline
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from lsp_cam.trust.signing import own_fingerprint, own_key
from tests.bundles import tiny_bundle, tiny_files
from tests.cli.conftest import Invoke, home, invoke  # noqa: F401

DEMO = Path(__file__).parents[2] / "subjects/demo"


@dataclass
class Made:
    """A store that holds the demo subject, signed, and its compact form."""

    store: Store
    whole: Subject
    compact: Subject
    told: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("home")
        patch.setenv(HOME_VARIABLE, str(root))
        store, told = Store(root, root / "none"), list[str]()
        store.adopt(DEMO)
        whole = store.sign("demo", own_key())
        yield Made(store, whole, for_calls(whole, store, told.append), told)


def travels(subject: Subject) -> int:
    """What a call carries of it."""
    files = [subject.text, *(subject.read(path) for path in subject.manifest.files)]
    parts = [data[at : at + PIECE_BYTES] for data in files for at in range(0, len(data), PIECE_BYTES)]
    return sum(len(piece("0" * 64, 0, part)) for part in parts)


@pytest.fixture
def packed(made: Made, tmp_path: Path) -> Path:
    pack(made.compact, tmp_path / "demo.lspcam")
    return tmp_path / "demo.lspcam"


def test_it_is_small_installs_elsewhere_and_shows_the_same(made: Made, packed: Path, tmp_path: Path) -> None:
    assert packed.stat().st_size <= 12 * 10**6
    assert travels(made.compact) <= 12 * 10**6
    elsewhere = Store(tmp_path / "elsewhere", tmp_path / "none")
    there = elsewhere.install(packed)
    there.verify()
    engine = open_engine("onnxruntime")
    ours, theirs = (Pipeline(s, engine) for s in (made.whole, there))
    pictures = [p.render(p.draw(p.idle())).pixels for p in (ours, theirs)]
    assert psnr_db(*pictures) > 44


def test_what_it_costs_is_measured_and_told(made: Made) -> None:
    found = made.compact.manifest.compacted
    assert found is not None
    assert found.of == hash_of(made.whole.text)
    assert MOST_DB > found.psnr_db >= found.worst_psnr_db > 44


def test_whom_it_shows_and_by_whose_leave_stays(made: Made) -> None:
    before, after = made.whole.manifest, made.compact.manifest
    for said in ("name", "title", "licence", "consent", "provenance", "created", "settings"):
        assert getattr(before, said) == getattr(after, said)
    assert made.compact.signer == made.whole.signer == own_fingerprint(own_key())


def test_it_is_made_once_and_anew_for_another_subject(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(made.told) == 1
    assert for_calls(made.whole, made.store, made.told.append).text == made.compact.text
    assert for_calls(made.compact, made.store, made.told.append) is made.compact
    assert len(made.told) == 1
    spoilt = made.compact.root / "preview.jpg"
    data = spoilt.read_bytes()
    spoilt.write_bytes(data[:-1] + b"x")
    try:
        refused = for_calls(tiny_bundle(made.store.home / "made", "demo"), made.store, made.told.append)
    finally:
        spoilt.write_bytes(data)
    assert refused.manifest.compacted is None  # its pictures are none
    assert "candidates/0.png cannot be used" in made.told[-1]


def test_one_that_was_tampered_with_is_refused(packed: Path, tmp_path: Path) -> None:
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 1
    packed.write_bytes(data)
    store = Store(tmp_path / "elsewhere", tmp_path / "none")
    with pytest.raises(BundleError, match=r"damaged|checksum"):
        store.install(packed)
    assert not store.subjects()


def test_one_that_somebody_else_signed_is_not_changed(made: Made, tmp_path: Path) -> None:
    store = Store(tmp_path / "elsewhere", tmp_path / "none")
    store.adopt(tiny_bundle(tmp_path, "ada").root)
    theirs = store.sign("ada", Ed25519PrivateKey.generate())
    with pytest.raises(UsageError, match=r"signed by .* Ask them"):
        compact(theirs, tmp_path / "compact", 12, open_engine("onnxruntime"))
    told = list[str]()
    assert for_calls(theirs, store, told.append) is theirs
    assert told[-1].startswith("Your portrait is offered as it is.")


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    files = {**tiny_files(), "speech.bin": np.random.default_rng(0).bytes(3_000_000)}
    del files["candidates/0.png"]
    with pytest.raises(UsageError, match=r"takes 3\.1 MB at its coarsest\. Allow it that: --limit-mb 4"):
        compact(tiny_bundle(tmp_path, "ada", files), tmp_path / "compact", 1, open_engine("onnxruntime"))


def test_compact_once_is_enough(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="compact already"):
        compact(made.compact, tmp_path / "again", 12, open_engine("onnxruntime"))


def test_a_removed_subject_leaves_none_behind(tmp_path: Path) -> None:
    store = Store(tmp_path / "home", tmp_path / "none")
    store.adopt(tiny_bundle(tmp_path / "one", "ada").root)
    with store.compact.incoming() as work:
        store.compact.add(tiny_bundle(work, "ada").root, "ada", work, replace=False)
    store.remove("ada")
    assert not (store.compact.path / "ada").exists()


def test_the_command_refuses_what_cannot_be(invoke: Invoke, home: Path, tmp_path: Path) -> None:  # noqa: F811
    Store().adopt(tiny_bundle(tmp_path, "ada").root)
    result = invoke("subject", "export", "ada", tmp_path, "--compact")
    assert result.exit_code != 0
    assert "is a folder" in result.output
    result = invoke("subject", "export", "ada", tmp_path / "ada.lspcam", "--compact")
    assert result.exit_code != 0
    assert "candidates/0.png cannot be used" in result.output
    assert not (tmp_path / "ada.lspcam").exists()
