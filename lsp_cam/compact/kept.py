"""The compact form that calls offer: made once, kept beside the store, made anew when its subject has changed."""

from __future__ import annotations

from collections.abc import Callable

from ..backends.choose import open_engine
from ..errors import SubjectError, UsageError
from ..manifest import hash_of
from ..store import Store
from ..subject import Subject
from .making import LIMIT_MB, compact


def for_calls(whole: Subject, store: Store, report: Callable[[str], None]) -> Subject:
    """The compact form of `whole`; `whole` itself where it has none, and `report` is told why."""
    if whole.manifest.compacted is not None:
        return whole
    try:
        return _kept(whole, store) or _made(whole, store, report)
    except (SubjectError, UsageError) as error:
        report(f"Your portrait is offered as it is. {error}")
        return whole


def _kept(whole: Subject, store: Store) -> Subject | None:
    """What was made before of this very subject, if it is sound."""
    try:
        kept = Subject.open(store.compact.path / whole.name)
        kept.verify()
    except SubjectError:
        return None
    same = kept.manifest.compacted is not None and kept.manifest.compacted.of == hash_of(whole.text)
    return kept if same and kept.signer == whole.signer else None


def _made(whole: Subject, store: Store, report: Callable[[str], None]) -> Subject:
    report(f"Making the compact form of '{whole.name}' for calls; it is kept.")
    with store.compact.incoming() as work:
        made = compact(whole, work / whole.name, LIMIT_MB, open_engine("onnxruntime"))
        return Subject.open(store.compact.add(made.root, whole.name, work, replace=True))
