"""Writes the corpus that the fuzzing begins with: `python -m tests.fuzz.seeds`."""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path

import numpy as np

from lsp_cam.call.address import Address
from lsp_cam.call.codes import Code, Place
from lsp_cam.call.opus import Config, OpusEncoder
from lsp_cam.trust.signing import own_key, sign_manifest
from tests.bundles import manifest_fields, members_of, tiny_bundle, write_zip
from tests.sketch import line_renderer

from .targets import TARGETS, TOKEN

CODES = (
    Code("offer", "abcd", "p" * 22, bytes(range(32)), (Place("192.0.2.7", 4242), Place("2001:db8::1", 9, "srflx"))),
    Code("answer", "efgh", "q" * 22, bytes(32), (Place("127.0.0.1", 1),)),
)
CORPUS = Path(__file__).parent / "corpus"
AUTH = f"Authorization: Bearer {TOKEN}\nHost: 127.0.0.1:4242\n"


def seeds() -> dict[str, list[bytes]]:
    """Sound examples of everything, by target."""
    with tempfile.TemporaryDirectory() as folder:
        subject = tiny_bundle(Path(folder), "fuzz", {"preview.jpg": b"x" * 9, "candidates/0.png": b"y"})
        signature = sign_manifest(subject.text, own_key(Path(folder, "key")))
        plain = write_zip(Path(folder, "a"), members_of(subject)).read_bytes()
        signed = write_zip(Path(folder, "b"), [*members_of(subject), ("signature.json", signature)]).read_bytes()
        text = subject.text
    parts = [struct.pack("<BBH", kind, flags, 3) + b"abc" for kind, flags in ((0, 0), (3, 4), (7, 1), (5, 2), (4, 0))]
    consent = {"shows": "Anna", "statement": "yes", "agreed_by": "Anna", "how": "spoken", "uses": ["call"],
               "expires": "2027-12-31", "badge": True}  # fmt: skip
    agreed = json.dumps({"format": 1, **manifest_fields("fuzz"), "consent": consent, "files": {}}).encode()
    posts = [("switch", '{"subject": "bert"}'), ("pose", '{"mode": "fixed", "yaw_deg": 3}'), ("mute", '{"on": true}'),
             ("pose", '{"mode": "track", "track": [[1, 2, 3, 0, 0, 0]]}'), ("stop", "")]  # fmt: skip
    kind = "Content-Type: application/json"
    asked = [f"POST /api/{path}\n{AUTH}{kind}\nContent-Length: {len(body)}\n\n{body}" for path, body in posts]
    asked += [f"GET /?token={TOKEN}\nHost: localhost:4242\n\n", f"GET /api/status\n{AUTH}\n",
              f"POST /api/mute\nCookie: lsp_cam_4242={TOKEN}\nHost: 127.0.0.1:4242\nOrigin: http://evil.example\n\n",
              "GET /main.js\nHost: evil.example\n\n", f"GET /live\n{AUTH}\n"]  # fmt: skip
    return {
        "bundle": [b"\0" + plain, b"\0" + signed, b"\1" + b"".join(parts), *(b"\1" + part for part in parts)],
        "manifest": [text, agreed],
        "network": [line_renderer(32)],
        "signalling": [
            *(word.encode() for code in CODES for word in (code.text(), code.sdp())),
            Address("http://[::1]:8470", bytes(range(16))).text().encode(),
            b"0123456789abcdef" * 2 + b"/offer\n" + bytes(60),
            OpusEncoder().encode(np.zeros(Config().frame_samples, np.float32)),
        ],
        "control": [request.encode() for request in asked],
    }


def main() -> None:
    """Write them."""
    for target, examples in seeds().items():
        assert target in TARGETS
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, example in enumerate(examples):
            (folder / f"seed{number}").write_bytes(example)


if __name__ == "__main__":
    main()
