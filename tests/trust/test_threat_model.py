"""The threat model names tests that exist: a promise cannot lose its attack unnoticed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_promise_has_a_test_that_attacks_it() -> None:
    page = (ROOT / "docs/threat-model.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith(("| promise", "|--"))]
    assert len(rows) >= 20
    for row in rows:
        named = NAMED.findall(row)
        assert named, f"no test: {row}"
        for file, name in named:
            tree = ast.parse((ROOT / file).read_text())
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"
