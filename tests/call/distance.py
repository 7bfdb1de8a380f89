"""A call between two hosts, and what became of it at its far end, judged by what was heard and seen there.

Times are the machine's monotonic clock, which both hosts share.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from lsp_cam.backends.choose import open_engine
from lsp_cam.call.gate import NoiseGate
from lsp_cam.call.opus import PAUSE_BYTES, Config, OpusDecoder, OpusEncoder
from lsp_cam.packets import MOTION_FPS, SAMPLE_RATE_HZ, Float32
from lsp_cam.pipeline import Pipeline, PipelineConfig
from lsp_cam.stages.landmarks import LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER
from lsp_cam.stages.steer import Steering
from lsp_cam.stream import chunked
from lsp_cam.subject import Subject
from tests.sketch import sketch_of

from .caller import SEEN, SOUND, TURNED
from .hosts import ROOT, Line

Float64 = NDArray[np.float64]
FRAME_SAMPLES = 800
"""Three motion frames: the shortest stretch of whole samples that is whole frames."""
WINDOW_S, EVERY_S = 0.4, 0.25
MOST_LATE_S = 3.0
SURE = 0.4
UPPER, LOWER = ([LIPS.index(point) for point in points] for points in (LIPS_INNER_UPPER, LIPS_INNER_LOWER))


@dataclass
class Side:
    """A program of `caller`."""

    process: subprocess.Popen[str]
    record: Path

    def hear(self) -> dict[str, Any]:
        """Its next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "this side of the call has ended"
        return dict(json.loads(line))

    def tell(self, what: Any) -> None:
        assert self.process.stdin is not None
        print(json.dumps(what), file=self.process.stdin, flush=True)

    def stats(self) -> dict[str, Any]:
        """How it stands."""
        self.tell("stats")
        return self.hear()


def sound(record: Path, name: str) -> tuple[Float64, Float32]:
    """When blocks of `heard` or `arrived` began (N,), and their samples (N, 160)."""
    rows = np.fromfile(record / name, SOUND)
    return rows["at_s"], rows["samples"].astype(np.float32) / 32767


def turned(side: Side) -> tuple[Any, Any]:
    """When the speech of each motion frame that became due was heard there, and the head's yaw in it."""
    rows = np.fromfile(side.record / "turned", TURNED)
    return rows["at_s"], rows["yaw_deg"]


def pose(side: Side, **steering: Any) -> float:
    """Put this side's own head under `steering`; when the next words of theirs are spoken."""
    side.tell({"pose": steering})
    return float(side.hear()["spoken_s"])


def sketched(subject: Subject, home: Path) -> Subject:
    """`subject`, drawn in lines, in a store of its own at `home`: what moves it is as it was."""
    return sketch_of(subject, home / "subjects" / "sketch")


@contextmanager
def call_between(line: Line, home: Path, speech: Path, *options: str) -> Iterator[tuple[Side, Side]]:
    """Both sides on air, saying `speech` (.npy) over and over; hung up at the end. `home`: see `sketched`."""
    with ExitStack() as made:
        sides = []
        for host, role in (("left", "listen"), ("right", "dial")):
            record, place = home / host, home / f"home-{host}"
            place.mkdir(exist_ok=True)
            if not (place / "subjects").exists():
                (place / "subjects").symlink_to(home / "subjects")
            words = ("-m", "tests.call.caller", role, "--speech", str(speech), "--record", str(record), *options)
            environ = {**os.environ, "LSP_CAM_HOME": str(place), "LSP_CAM_RUNTIME": str(place / "run")}
            process = subprocess.Popen(
                line.command(host, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
                env=environ,
            )  # fmt: skip
            sides.append(Side(process, record))
            made.callback(_hang_up, process)
        one, other = sides
        other.tell(one.hear())
        one.tell(other.hear())
        for side in sides:
            assert side.hear()["on_air"]
        yield one, other


def _hang_up(process: subprocess.Popen[str]) -> None:
    """Let a side end by itself; whoever does not is made to."""
    try:
        if process.poll() is None and process.stdin is not None:
            process.stdin.write('"end"\n')
            process.stdin.close()
        process.wait(30)
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:
                    continue


def whole(speech: Float32, pause_s: float = 1.5) -> Float32:
    """`speech` and a pause, cut to whole motion frames, so that it may be said over and over."""
    padded = np.concatenate([speech, np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.float32)])
    return padded[: len(padded) // FRAME_SAMPLES * FRAME_SAMPLES]


def unspoilt(subject: Subject, speech: Float32, bitrate_bps: int = Config.bitrate_bps) -> Float32:
    """Lips (T, 18, 2), 60 a second, as `speech`, said over and over, moves them over a call that loses nothing."""
    encoder, decoder, gate, config = OpusEncoder(Config(bitrate_bps)), OpusDecoder(), NoiseGate(), Config(bitrate_bps)
    twice = np.concatenate([speech, speech, np.zeros(config.frame_samples, np.float32)])
    heard = []
    for start in range(0, len(twice) - config.frame_samples, config.frame_samples):
        packet = encoder.encode(gate.pass_on(twice[start : start + config.frame_samples]))
        silent = len(packet) <= PAUSE_BYTES
        heard.append(decoder.conceal(config.frame_samples) if silent else decoder.decode(packet))
    pipeline = Pipeline(subject, open_engine(), PipelineConfig(smoothing="live"))
    state = pipeline.steer(pipeline.motion.start(), Steering("fixed"))
    lips = []
    for chunk in (*chunked(np.concatenate(heard), 32_000), None):
        frames, state = pipeline.motion.step(chunk, state) if chunk is not None else pipeline.motion.flush(state)
        lips += [frame.points[list(LIPS)] for frame in frames]
    period = len(speech) * MOTION_FPS // SAMPLE_RATE_HZ
    return np.stack(lips)[period : 2 * period]


@dataclass(frozen=True)
class Places:
    """Of windows of sound: when they were heard, and where (in samples of another sound) they come from."""

    at_s: Float64
    sample: Float64

    def at(self, when_s: Float64) -> Float64:
        """Where what was heard at these times comes from; NaN where no window was recognised within a second."""
        if len(self.at_s) < 2:
            return np.full(len(when_s), np.nan)
        late = self.sample / SAMPLE_RATE_HZ - self.at_s
        near = np.abs(self.at_s[np.clip(np.searchsorted(self.at_s, when_s), 1, len(self.at_s) - 1)] - when_s) < 1.0
        near |= np.abs(self.at_s[np.clip(np.searchsorted(self.at_s, when_s) - 1, 0, None)] - when_s) < 1.0
        return np.where(near, (when_s + np.interp(when_s, self.at_s, late)) * SAMPLE_RATE_HZ, np.nan)


def recognised(at_s: Float64, blocks: Float32, expected: Any, source: Any, reach_s: float) -> Places:
    """Where windows of `blocks` (begun at `at_s`) come from; what is like nothing is left out.

    `source(first, count)` gives samples of the other sound; `expected(when_s)` is about where in it a window of that
    time is looked for, `reach_s` before and behind.
    """
    count, reach = int(WINDOW_S * SAMPLE_RATE_HZ), int(reach_s * SAMPLE_RATE_HZ)
    width, step = count // blocks.shape[1], int(EVERY_S * SAMPLE_RATE_HZ) // blocks.shape[1]
    when, where = [], []
    for first in range(0, len(blocks) - width, step):
        window = blocks[first : first + width].reshape(-1)
        if np.square(window).mean() < 1e-5:
            continue
        start = int(expected(at_s[first])) - reach
        other = source(start, count + 2 * reach)
        likeness = correlate(other, window, "valid", "fft")
        powers = np.convolve(np.square(other, dtype=np.float64), np.ones(count), "valid")
        likeness = likeness / np.sqrt(np.maximum(powers, 1e-3) * np.square(window).sum())
        best = int(likeness.argmax())
        if likeness[best] > SURE:
            when.append(at_s[first])
            where.append(float(start + best))
    return _steady(np.array(when), np.array(where))


def _steady(when_s: Float64, where: Float64, span: int = 9, most_s: float = 0.15) -> Places:
    """Without windows that were taken for something else: those that lie far off the median of their neighbours."""
    late = where / SAMPLE_RATE_HZ - when_s
    around = np.array(
        [np.median(late[max(i - span // 2, 0) : i + span // 2 + 1]) for i in range(len(late))], np.float64
    )
    kept = np.abs(late - around) < most_s if len(late) else np.zeros(0, bool)
    return Places(when_s[kept], where[kept])


@dataclass(frozen=True)
class Account:
    """What the far side saw and heard, time by time.

    `offset_ms`: how much later than its portrait speech was heard, at `offset_at_s`. For each picture, at `seen_s`:
    `late_s`, how old the speech is that it shows (NaN where nothing was recognised); `lips` (N, 18, 2) and `wanted`,
    those of the call on which nothing is lost, px.
    """

    offset_at_s: Float64
    offset_ms: Float64
    seen_s: Float64
    late_s: Float64
    lips: Float32
    wanted: Float32

    def between(self, first_s: float, last_s: float) -> dict[str, Any]:
        """Figures of that time: offset (ms), lateness (ms), the lips' distance from where they should be (px), the same
        of a mouth that stays closed, and how much alike the opening of the mouth is (correlation)."""
        heard = (self.offset_at_s >= first_s) & (self.offset_at_s < last_s)
        seen = (self.seen_s >= first_s) & (self.seen_s < last_s) & np.isfinite(self.late_s)
        lips, wanted = self.lips[seen], self.wanted[seen]
        found: dict[str, Any] = {"windows": int(heard.sum()), "pictures": int(seen.sum())}
        if heard.any():
            found["offset_ms"] = [round(float(p), 1) for p in np.percentile(self.offset_ms[heard], (50, 5, 95))]
        if seen.sum() > 10:
            resting = self.wanted[np.argmin(opening(self.wanted))]
            found["late_ms"] = round(1000 * float(np.median(self.late_s[seen])))
            found["lips_px"] = round(float(np.linalg.norm(lips - wanted, axis=-1).mean()), 2)
            found["closed_px"] = round(float(np.linalg.norm(resting - wanted, axis=-1).mean()), 2)
            found["alike"] = round(float(np.corrcoef(opening(lips), opening(wanted))[0, 1]), 3)
        return found


def opening(lips: Float32) -> Float32:
    """How far the inner lips are apart (N,), px, of lips (N, 18, 2)."""
    return np.asarray((lips[:, LOWER, 1] - lips[:, UPPER, 1]).mean(1), np.float32)


def account_of(record: Path, speech: Float32, begun_s: float, reference: Float32, skew: float = 0.0) -> Account:
    """What the side that wrote `record` heard and saw of `speech`, which the other said over and over from `begun_s`.

    `reference`: see `unspoilt`; `skew`: how much faster than the clock it was said.
    """
    heard_s, heard = sound(record, "heard")
    arrived_s, arrived = sound(record, "arrived")
    seen = np.fromfile(record / "seen", SEEN)
    seen_s, frames, lips = seen["at_s"], seen["frame"], seen["lips"]
    history = arrived.reshape(-1)
    rate = SAMPLE_RATE_HZ * (1 + skew)

    def said(start: int, count: int) -> Float32:
        return speech[np.arange(start, start + count) % len(speech)]

    def taken(start: int, count: int) -> Float32:
        places = np.arange(start, start + count)
        return np.where((places >= 0) & (places < len(history)), history[np.clip(places, 0, len(history) - 1)], 0)

    def due(when_s: float) -> float:
        return float(np.interp(when_s, arrived_s, np.arange(len(arrived_s)) * arrived.shape[1]))

    spoken = recognised(
        arrived_s, arrived, lambda when_s: (when_s - begun_s - MOST_LATE_S / 2) * rate, said, MOST_LATE_S / 2
    )
    shown = recognised(heard_s, heard, lambda when_s: due(when_s - 0.5), taken, 0.8)
    if not len(shown.sample) or not len(spoken.sample):
        nothing = np.zeros(0)
        return Account(nothing, nothing, nothing, nothing, lips[:0], lips[:0])
    places = frames * SAMPLE_RATE_HZ / MOTION_FPS
    order = np.argsort(shown.sample)
    spoken_when_s = np.interp(places, shown.sample[order], shown.at_s[order], np.nan, np.nan)
    offset_ms = 1000 * (spoken_when_s - seen_s)
    near = np.abs(_nearest(shown.sample[order], places) - places) < EVERY_S * SAMPLE_RATE_HZ
    whole = np.isfinite(offset_ms) & near
    arrived_when_s = np.interp(places, np.arange(len(arrived_s)) * arrived.shape[1], arrived_s)
    sample = spoken.at(arrived_when_s)
    late_s = seen_s - (begun_s + sample / rate)
    frame = np.nan_to_num(sample) * MOTION_FPS / SAMPLE_RATE_HZ % len(reference)
    lower = frame.astype(int)
    share = (frame - lower)[:, None, None]
    wanted = reference[lower] * (1 - share) + reference[(lower + 1) % len(reference)] * share
    return Account(seen_s[whole], offset_ms[whole], seen_s, late_s, lips, wanted.astype(np.float32))


def _nearest(known: Float64, wanted: Float64) -> Float64:
    right = np.clip(np.searchsorted(known, wanted), 1, max(len(known) - 1, 1))
    if len(known) < 2:
        return np.full(len(wanted), np.inf)
    return np.where(np.abs(known[right] - wanted) < np.abs(known[right - 1] - wanted), known[right], known[right - 1])
