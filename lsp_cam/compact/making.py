"""The compact form of a subject: as fine as the limit allows, with what it costs written into its manifest."""

from __future__ import annotations

import zlib
from pathlib import Path

from ..backends.base import Engine
from ..errors import BundleError, UsageError
from ..manifest import Compacted, hash_of
from ..subject import Subject, write_bundle
from ..trust.signing import SIGNATURE, key_file, own_fingerprint, own_key, sign_manifest
from .cost import cost_of
from .rounding import as_webp, rounded_base, rounded_network

LIMIT_MB = 12
"""What travels in a call, and is stored in an archive, at most; 10 ** 6 bytes each."""
BITS = (8, 7, 6, 5)
"""Of a weight, finest first."""
BASE = "manifold.npz"
HEADERS_BYTES = 1 << 16
"""What the archive's directory and the heads of a call's pieces take."""


def compact(whole: Subject, root: Path, limit_mb: int, engine: Engine) -> Subject:
    """Write the compact form into the new folder `root`: the finest that packs into `limit_mb`.

    Consent, licence and everything else that is said of the subject stay as they are. What the user signed is signed
    again. UsageError if it is compact already, signed by somebody else, or does not fit.
    """
    if whole.manifest.compacted is not None:
        raise UsageError(f"'{whole.name}' is compact already.")
    ours = key_file().exists() and whole.signer == own_fingerprint(own_key())
    if whole.signer is not None and not ours:
        raise UsageError(
            f"'{whole.name}' is signed by {whole.signer}, and what is changed is not theirs any more. Ask them for the "
            "compact form, or leave --compact out."
        )
    bits, files = _fitting(whole, limit_mb)
    said = {k: v for k, v in whole.manifest.model_dump(mode="json").items() if k not in ("format", "files")}
    cost = cost_of(whole, write_bundle(root, said, files), engine)
    of = hash_of(whole.text)
    told = Compacted(of=of, bits=bits, psnr_db=cost.median_db, worst_psnr_db=cost.worst_db)
    made = write_bundle(root, {**said, "compacted": told.model_dump()}, files)
    if ours:
        (root / SIGNATURE).write_bytes(sign_manifest(made.text, own_key()))
    made = Subject.open(root)
    made.verify()
    return made


def packed_bytes(files: dict[str, bytes]) -> int:
    """What files take in an archive, or on the line."""
    return HEADERS_BYTES + sum(min(len(zlib.compress(data, 9)), len(data)) for data in files.values())


def _fitting(whole: Subject, limit_mb: int) -> tuple[int, dict[str, bytes]]:
    """The files at the first of BITS at which they fit."""
    size = 0
    for bits in BITS:
        files = dict(_smaller(whole, path, bits) for path in whole.manifest.files)
        size = packed_bytes(files)
        if size <= limit_mb * 10**6:
            return bits, files
    raise UsageError(
        f"'{whole.name}' takes {size / 1e6:.1f} MB at its coarsest. Allow it that: --limit-mb {-(-size // 10**6)}."
    )


def _smaller(whole: Subject, path: str, bits: int) -> tuple[str, bytes]:
    """A file of the bundle, and what it is called then."""
    if path == BASE:
        return path, rounded_base(whole.arrays(path, feature_base=(None, None))["feature_base"])
    data = whole.read(path)
    if path.endswith(".onnx"):
        return path, rounded_network(data, bits)
    if path.startswith("candidates/") and not path.endswith(".webp"):
        try:
            return f"{path.rsplit('.', 1)[0]}.webp", as_webp(data)
        except ValueError as error:
            raise BundleError(f"{path} cannot be used: {error}. Install the subject again.") from None
    return path, data
