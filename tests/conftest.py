"""What many tests need: the shared reference cases, and subjects made of them."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
TRAINING = ROOT / "tests/train"


@dataclass(frozen=True)
class Case:
    """A reference case: its settings, arrays and what each step must give."""

    name: str
    path: Path
    seed: int
    config: dict[str, Any]
    state_dicts: dict[str, dict[str, list[int]]]
    subject: dict[str, NDArray[Any]]
    expected: dict[str, NDArray[Any]]


@pytest.fixture(autouse=True)
def unbounded_again() -> Iterator[None]:
    """Commands that run networks bound the memory of their process, which here is that of all tests after them."""
    if sys.platform == "win32":  # whose processes have no such bound
        yield
        return
    import resource

    bounds = resource.getrlimit(resource.RLIMIT_DATA)
    yield
    resource.setrlimit(resource.RLIMIT_DATA, bounds)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the checkout with reference cases and data."""
    assert SHARED.is_dir(), "these tests need the shared reference folder beside the checkout"
    return SHARED


@pytest.fixture(scope="session")
def make_release(shared: Path) -> Any:
    """The module that writes a case as the authors' release (`weights`, `main`)."""
    spec = importlib.util.spec_from_file_location("make_release", shared / "reference/make_release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session", params=["case_a", "case_b"])
def case(request: pytest.FixtureRequest, shared: Path) -> Case:
    """Both reference cases, one after the other."""
    return load_case(shared, request.param)


@pytest.fixture(scope="session")
def case_a(shared: Path) -> Case:
    return load_case(shared, "case_a")


def load_case(shared: Path, name: str) -> Case:
    path = shared / "reference" / name
    text = json.loads((path / "case.json").read_text())
    with np.load(path / "subject.npz") as subject, np.load(path / "expected.npz") as expected:
        return Case(name, path, text["seed"], text["config"], text["state_dicts"], dict(subject), dict(expected))


@pytest.fixture(scope="session")
def release_folder(make_release: Any, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function (case name, renderer) -> the folder of a downloaded release; made once each."""
    made: dict[tuple[str, str], Path] = {}

    def make(name: str = "case_a", renderer: str = "normal_ngf8") -> Path:
        if (name, renderer) not in made:
            folder = tmp_path_factory.mktemp(f"{name}-{renderer}")
            make_release.main(str(shared / "reference" / name), str(folder), renderer)
            made[name, renderer] = folder
        return made[name, renderer]

    return make


@pytest.fixture(scope="session")
def reference_bundle(release_folder: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function (case name, renderer) -> Subject imported from that release; made once each."""
    from lsp_cam.subject import Subject
    from lsp_cam.train.release import import_release

    made: dict[tuple[str, str], Subject] = {}

    def make(name: str = "case_a", renderer: str = "normal_ngf8") -> Subject:
        if (name, renderer) not in made:
            folder = release_folder(name, renderer)
            target = tmp_path_factory.mktemp("bundles") / "fixture"
            made[name, renderer] = import_release(
                folder / "Fixture", folder / "APC_epoch_160.model", folder / "Fixture.yaml", "fixture", target
            )
            agree(made[name, renderer].root, "Random numbers that look like nobody.")
            made[name, renderer] = Subject.open(target)
        return made[name, renderer]

    return make


def agree(root: Path, shows: str) -> None:
    """Note in the manifest of the bundle in `root` that there is nobody to ask for consent."""
    from lsp_cam.trust.consent import nobody

    manifest = json.loads((root / "manifest.json").read_text())
    manifest["consent"] = nobody(shows, "Made by a test.").model_dump()
    (root / "manifest.json").write_text(json.dumps(manifest))


def pytest_configure(config: pytest.Config) -> None:
    """A shell's background jobs ignore Ctrl-C, and hand that on to every process that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: of several processes, none is to wait for another at the end."""
    items.sort(key=lambda item: (item.get_closest_marker("soak") is None, not item.path.is_relative_to(TRAINING)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Where nothing may be skipped (continuous integration), a skip is a failure."""
    report = yield
    if report.skipped and os.environ.get("LSP_CAM_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"skipped where no test may be: {report.longrepr}"
    return report
