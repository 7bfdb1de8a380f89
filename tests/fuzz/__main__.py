"""Throw bytes at a target, led by what they reach: `python -m tests.fuzz bundle --seconds 1800`.

A crash, 5 s of work without an answer or 1 GB of memory is a finding, and is written to the folder of `--keep`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Run libFuzzer on one target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(path.name for path in CORPUS.iterdir()))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="Folder that what reached something new is kept in.")
    options = parser.parse_args()
    with atheris.instrument_imports(include=["lsp_cam"]):
        from .targets import TARGETS, timed
    keep = options.keep or Path(tempfile.mkdtemp(prefix="lsp-cam-corpus-"))
    keep.mkdir(parents=True, exist_ok=True)
    # Its own clock goes on while a busy machine gives us no turn; what counts is work, which `timed` measures.
    limits = [
        f"-artifact_prefix={keep}/",
        f"-max_total_time={options.seconds}",
        "-timeout=120",
        "-rss_limit_mb=1024",
        "-max_len=8192",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(keep), str(CORPUS / options.target)], timed(TARGETS[options.target]))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
