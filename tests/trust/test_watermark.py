"""The invisible mark: unseen, cheap, found after what videos suffer, and never where it is not."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from lsp_cam.packets import UInt8
from lsp_cam.trust.detect import FALSE_ALARMS, Finding, find_mark, inspect_video, threshold
from lsp_cam.trust.marks import Marker
from lsp_cam.trust.watermark import SMALLEST_PX, TILE, Watermark, chips
from tests.cli.conftest import Invoke

from .clips import attacks, clip, encoded, write


def marked(frames: list[UInt8]) -> list[UInt8]:
    marker = Marker()
    return [marker.mark(frame) for frame in frames]


def look(video: bytes) -> Finding:
    with av.open(io.BytesIO(video)) as file:
        lumas = [frame.to_ndarray(format="gray").astype(np.float32) for frame in file.decode(video=0)]
    return find_mark(np.asarray(np.mean(lumas, axis=0), np.float32))


def test_it_is_not_seen() -> None:
    for size in ((256, 256), (512, 512), (480, 640)):
        picture = np.full((*size, 3), 128, np.uint8)
        change = Watermark(*size).add(picture).astype(float) - picture
        assert 10 * np.log10(255**2 / (change**2).mean()) > 44
        assert np.abs(change).max() <= 2
        assert np.ptp(change, axis=2).max() == 0, "colours stay"


def test_marking_leaves_the_picture_alone_and_costs_little() -> None:
    picture = clip(1, 1, 512)[0]
    before, marker = picture.copy(), Marker()
    marker.mark(picture)
    assert np.array_equal(picture, before)
    took_s = []
    for _ in range(20):
        began = time.perf_counter()
        marker.mark(picture)
        took_s.append(time.perf_counter() - began)
    assert min(took_s) < 0.001


@pytest.mark.parametrize("size", [256, 512])
def test_it_is_found_after_what_videos_suffer(size: int) -> None:
    for name, frames in attacks(marked(clip(3, 20, size))):
        found = look(encoded(frames))
        assert found.is_marked, (name, found)
        assert found.error_rate < 0.1, (name, found)


def test_it_is_found_mirrored_padded_and_in_a_single_picture() -> None:
    frames = marked(clip(4, 12, 256))
    assert look(encoded([np.ascontiguousarray(f[:, ::-1]) for f in frames])).is_marked
    padded = [cv2.copyMakeBorder(f, 0, 0, 100, 100, cv2.BORDER_CONSTANT) for f in frames]
    assert look(encoded([np.asarray(f, np.uint8) for f in padded])).is_marked
    assert find_mark(cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY).astype(np.float32)).is_marked


def test_it_is_not_found_where_it_is_not() -> None:
    numbers = np.random.default_rng(0)
    for seed in range(4):
        assert not look(encoded(clip(seed, 6))).is_marked
    for empty in (np.zeros((256, 256)), numbers.normal(128, 30, (256, 256)), np.full((20, 20), 9.0)):
        assert not find_mark(empty.astype(np.float32)).is_marked


def test_another_pattern_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    other = np.random.default_rng(7).choice([-1.0, 1.0], (TILE, TILE)).astype(np.float32)
    monkeypatch.setattr("lsp_cam.trust.watermark.chips", lambda: other)
    frames = marked(clip(3, 6))
    monkeypatch.undo()
    assert not look(encoded(frames)).is_marked


def test_the_threshold_keeps_its_promise() -> None:
    """Chips that were drawn anew must exceed z as rarely as the bound says; here at bounds that can be counted."""
    numbers = np.random.default_rng(5)
    y = numbers.laplace(size=TILE * TILE) * np.linspace(0, 3, TILE * TILE)
    z = numbers.choice([-1.0, 1.0], (20_000, TILE * TILE)) @ (y / np.linalg.norm(y))
    for t in (2.0, 3.0, 3.5):
        assert (z > t).mean() <= np.exp(-t * t / 2)
    budget = sum(np.exp(-(threshold(k) ** 2) / 2) * 50 * 128 * 128 * 2 for k in range(1, 10_000))
    assert budget <= FALSE_ALARMS
    assert abs(chips().mean()) < 0.1


def test_inspect(invoke: Invoke, tmp_path: Path) -> None:
    yes, no = write(tmp_path / "yes.mp4", marked(clip(2, 9))), write(tmp_path / "no.mp4", clip(2, 9))
    got = invoke("inspect", yes)
    assert got.exit_code == 0
    assert "0.0% of 64 bits wrong" in got.output
    assert json.loads(invoke("inspect", yes, "--json").output)["marked"] is True
    got = invoke("inspect", no)
    assert got.exit_code == 1
    assert "no mark" in got.output
    assert json.loads(invoke("inspect", no, "--json").output)["bit_error_rate"] is None
    cv2.imwrite(str(tmp_path / "one.png"), cv2.cvtColor(marked(clip(2, 1))[0], cv2.COLOR_RGB2BGR))
    assert invoke("inspect", tmp_path / "one.png").exit_code == 0


def test_a_mark_that_comes_late_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_cam.trust.detect.WINDOW_FRAMES", 12)
    frames = clip(2, 12) + marked(clip(5, 24))
    found = inspect_video(write(tmp_path / "late.mp4", frames, 1000))
    assert found.is_marked
    assert found.threshold > threshold(1)


def test_what_cannot_be_inspected(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_bytes(b"no video at all")
    for name in ("text.mp4", "missing.mp4", "."):
        assert invoke("inspect", tmp_path / name).exit_code == 2
    video = encoded(marked(clip(2, 30)))
    (tmp_path / "cut.mp4").write_bytes(video[: len(video) // 2])
    assert invoke("inspect", tmp_path / "cut.mp4").exit_code in (0, 1, 2)


def test_pictures_too_small_for_it_stay_as_they_are() -> None:
    small = clip(1, 1, SMALLEST_PX - 2)[0]
    assert np.array_equal(Marker().mark(small), small)
