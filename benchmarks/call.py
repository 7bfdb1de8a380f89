"""A call between two hosts: what it sends, what bad lines do to it, and whether an hour of it stays together.

    python benchmarks/call.py [--seconds 30] [--json]    # the rate, video's beside it; every condition, in one call
    python benchmarks/call.py --only motion              # what a steered head adds
    python benchmarks/call.py --minutes 60               # one long call, on sound cards 100 ppm fast

Needs root: the hosts are network namespaces, the line between them is `tests/call/relay.py`, as the kernel may have no
netem. Each side is the program that `lsp-cam call` is, with files in place of devices; the subject's motion is that of
`demo`, its pictures are lines (pixels are not what is looked at, and two renderers would fill a small machine).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lsp_cam.assets import sample_speech
from lsp_cam.backends.choose import open_engine
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.dub import dub
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32
from lsp_cam.pipeline import Pipeline, PipelineConfig
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from tests.call.distance import Account, Side, account_of, call_between, pose, sketched, turned, unspoilt, whole
from tests.call.hosts import Line, two_hosts
from tests.call.relay import ETHERNET, Weather
from tests.call.test_motion import lively

SETTLE_S = 10.0
CALM_S = 10.0
OUTAGE_S = 10.0
SKEW = 1e-4
EVERY_S = 10.0
FPS = 30
ROOM_NOISE = 1e-3
CONDITIONS = {
    "nothing": Weather(),
    "5 % lost": Weather(loss=0.05),
    "20 % lost": Weather(loss=0.2),
    "bursts of 400 ms": Weather(burst_s=0.4, burst_every_s=4.0),
    "200 ± 100 ms": Weather(delay_s=0.2, jitter_s=0.1),
    "50 ms reordering": Weather(delay_s=0.05, overtaking=0.25),
    "10 s outage": Weather(down=True),
    "changed address": Weather(),
}


@dataclass(frozen=True)
class Span:
    """A condition, and from when to when it held (monotonic); `before` and `after`: how the far side stood."""

    name: str
    first_s: float
    last_s: float
    before: dict[str, Any]
    after: dict[str, Any]


def spans_of(line: Line, near: Side, far: Side, seconds: float) -> list[Span]:
    """Every condition in turn, for so long, with a calm between."""
    spans = []
    for name, weather in CONDITIONS.items():
        before, first_s = far.stats(), time.monotonic()
        line.weather(weather)
        if name == "changed address":
            line.readdress("left", 3)
        time.sleep(OUTAGE_S if weather.down else seconds)
        line.weather(Weather())
        if weather.down:
            spans.append(Span(name, first_s, time.monotonic(), before, far.stats()))
            name, before, first_s = "after it", far.stats(), time.monotonic()
            time.sleep(seconds)
        spans.append(Span(name, first_s, time.monotonic(), before, far.stats()))
        print(f"  {spans[-1].name}: done", file=sys.stderr)
        assert near.process.poll() is None
        assert far.process.poll() is None
        time.sleep(CALM_S)
    return spans


def judged(span: Span, account: Account) -> dict[str, Any]:
    """A condition's figures; one in `offset_seconds` is the median of a second."""
    found = account.between(span.first_s, span.last_s)
    for name in ("lost", "recovered", "leaps", "voice_jumps"):
        found[name] = span.after[name] - span.before[name]
    medians = []
    for first_s in np.arange(span.first_s, span.last_s - 1, 1.0):
        within = (account.offset_at_s >= first_s) & (account.offset_at_s < first_s + 1)
        if within.sum() >= 5:
            medians.append(float(np.median(account.offset_ms[within])))
    if medians:
        found["seconds"] = len(medians)
        found["seconds_within_40_ms"] = int((np.abs(medians) <= 40).sum())
    return found


def conditions(seconds: float) -> dict[str, Any]:
    """One call through all of them."""
    with tempfile.TemporaryDirectory(prefix="lsp-call-") as folder, two_hosts() as line:
        home = Path(folder)
        subject, speech = sketched(Store().get("demo"), home), whole(read_audio(sample_speech()))
        np.save(home / "speech.npy", speech)
        with call_between(line, home, home / "speech.npy") as (near, far):
            time.sleep(SETTLE_S)
            spans = spans_of(line, near, far, seconds)
            begun_s = near.stats()["begun_s"]
        account = account_of(far.record, speech, begun_s, unspoilt(subject, speech))
    return {span.name: judged(span, account) for span in spans}


def rate(speech: Float32, seconds: float) -> dict[str, float]:
    """kbit/s that one side sends while it says `speech`, by its interface's counters: all, and the payload of it.

    The interface does not know what is header: of the packets of speech all but Opus's bytes is (Ethernet, IP, UDP,
    RTP and the seal, 70 bytes each), and the rest (checks of the connection, reports, the channel) is told apart.
    """
    with tempfile.TemporaryDirectory(prefix="lsp-call-") as folder, two_hosts() as line:
        home = Path(folder)
        sketched(Store().get("demo"), home)
        np.save(home / "speech.npy", speech)
        with call_between(line, home, home / "speech.npy", "--fps", "5") as (near, _):
            time.sleep(SETTLE_S)
            before = near.stats(), line.sent("left"), line.carried()
            time.sleep(seconds)
            after = near.stats(), line.sent("left"), line.carried()
    took_s = after[0]["now_s"] - before[0]["now_s"]
    payload = after[0]["traffic"]["bytes_out"] - before[0]["traffic"]["bytes_out"]
    packets = after[0]["traffic"]["packets_out"] - before[0]["traffic"]["packets_out"]
    speech_bytes = after[2]["left rtp"][1] - before[2].get("left rtp", (0, 0))[1]
    all_bytes = after[1][1] - before[1][1]
    return {
        "payload": 8e-3 * payload / took_s,
        "headers": 8e-3 * (speech_bytes - payload) / took_s,
        "other": 8e-3 * (all_bytes - speech_bytes) / took_s,
        "all": 8e-3 * all_bytes / took_s,
        "packets_per_s": packets / took_s,
        "at_ip_level": 8e-3 * (all_bytes - ETHERNET * (after[1][0] - before[1][0])) / took_s,
    }


def motion(speech: Float32, seconds: float) -> dict[str, Any]:
    """What a head adds to what one side sends, in kbit/s, and how late it turns at the other side.

    `payload`: of poses, by the sender's count; `on_the_line`: of the channel that they go over, both ways, by the
    relay's count of frames, Ethernet's heads among them. `behind_ms`: between a word that a turn was asked for at and
    the frame (of the word's own time, the line's delay taken off) in which the head is half way; easing takes 150.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="lsp-call-") as folder, two_hosts() as line:
        home = Path(folder)
        sketched(Store().get("demo"), home)
        np.save(home / "speech.npy", speech)
        with call_between(line, home, home / "speech.npy", "--fps", "20", "--free") as (near, far):
            time.sleep(SETTLE_S)
            poses = {
                "nobody steers": {},
                "every column moves": {"mode": "track", "track": lively(20).tolist()},
                "yaw and pitch move": {"mode": "track", "track": (lively(20) * [1, 1, 0, 0, 0, 0]).tolist()},
                "held": {"mode": "fixed", "yaw_deg": 20.0, "pitch_deg": 5.0},
            }
            for name, steering in poses.items():
                pose(near, **steering)
                time.sleep(3)
                before, was = near.stats(), line.carried()
                time.sleep(seconds)
                after, now = near.stats(), line.carried()
                took_s = after["now_s"] - before["now_s"]
                told = after["traffic"]["motion_bytes_out"] - before["traffic"]["motion_bytes_out"]
                ways = [now.get(w, (0, 0))[1] - was.get(w, (0, 0))[1] for w in ("left dtls", "right dtls")]
                found[f"{name}: payload"] = 8e-3 * told / took_s
                found[f"{name}: on_the_line"] = [round(8e-3 * way / took_s, 2) for way in ways]
            behind = []
            for turn in range(10):
                to_deg = 40.0 if turn % 2 else -40.0
                spoken_s = pose(near, mode="fixed", yaw_deg=to_deg)
                time.sleep(3)
                at_s, yaw = turned(far)
                later = at_s > spoken_s
                there = at_s[later][np.argmax(yaw[later] * np.sign(to_deg) > 0)]
                behind.append(1e3 * (there - spoken_s - far.stats()["delay_s"]))
            found["behind_ms"] = [round(float(np.percentile(behind, p))) for p in (0, 50, 100)]
    return found


def video(speech: Float32) -> dict[str, float]:
    """kbit/s of H.264 of the same clip, 512 × 512 at 30 fps, at constant quality (crf 23), and at 500 kbit/s.

    Coded as for a call: no look-ahead, no B frames, a key frame every ten seconds.
    """
    pictures = [f.pixels for f in dub(Pipeline(Store().get("demo"), open_engine(), PipelineConfig()), speech, FPS)]
    seconds = len(pictures) / FPS
    found = {}
    for name, options, bit_rate in (
        ("crf 23", {"crf": "23"}, None),
        ("500 kbit/s", {"maxrate": "500k", "bufsize": "500k"}, 500_000),
    ):
        codec = av.CodecContext.create("libx264", "w")
        codec.width = codec.height = pictures[0].shape[0]
        codec.pix_fmt, codec.framerate, codec.gop_size = "yuv420p", FPS, 10 * FPS
        codec.options = {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline", **options}
        if bit_rate:
            codec.bit_rate = bit_rate
        frames = [av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p") for pixels in pictures]
        packets = [packet for frame in (*frames, None) for packet in codec.encode(frame)]
        found[name] = 8e-3 * sum(packet.size for packet in packets) / seconds
    return found


def long_call(minutes: float, home: Path) -> None:
    """One call of that length; what is seen of it meanwhile is kept in `home`."""
    sketched(Store().get("demo"), home)
    np.save(home / "speech.npy", whole(read_audio(sample_speech())))
    options = ("--skew", str(SKEW), "--fps", "10")
    with two_hosts() as line, call_between(line, home, home / "speech.npy", *options) as (near, far):
        time.sleep(SETTLE_S)
        end_s = time.monotonic() + 60 * minutes
        with (home / "told.jsonl").open("w") as kept:
            while time.monotonic() < end_s:
                told = {"near": near.stats(), "far": far.stats(), "load": os.getloadavg()[0]}
                print(json.dumps(told), file=kept, flush=True)
                time.sleep(EVERY_S)


def long_figures(home: Path) -> dict[str, Any]:
    """Drift and memory of the call kept in `home`; each minute's medians beside one another."""
    told = [json.loads(line) for line in (home / "told.jsonl").read_text().splitlines()]
    speech = np.load(home / "speech.npy")
    reference = unspoilt(Subject.open(home / "subjects" / "sketch"), speech)
    account = account_of(home / "right", speech, told[0]["near"]["begun_s"], reference, SKEW)
    first_s, last_s = told[0]["far"]["now_s"], told[-1]["far"]["now_s"]
    by_minute = [account.between(at_s, at_s + 60) for at_s in np.arange(first_s, last_s - 59, 60)]
    found: dict[str, Any] = {"minutes": round((last_s - first_s) / 60, 1), "by_minute": by_minute}
    for name in ("offset_ms", "late_ms"):
        medians = np.array([m[name][0] if name == "offset_ms" else m[name] for m in by_minute if name in m])
        fifth = max(min(len(medians) // 5, 5), 1)
        drift = float(np.median(medians[-fifth:]) - np.median(medians[:fifth]))
        found[name] = {"drift": round(drift, 1), "median": float(np.median(medians)),
                       "range": [float(medians.min()), float(medians.max())]}  # fmt: skip
    settled = [t for t in told if t["far"]["now_s"] - first_s >= min(300, (last_s - first_s) / 3)]
    tenth = max(len(settled) // 10, 1)
    for side in ("near", "far"):
        for name in ("memory_mb", "own_memory_mb", "threads", "files"):
            before, after = (float(np.median([t[side][name] for t in p])) for p in (settled[:tenth], settled[-tenth:]))
            found[f"{side} {name}"] = [round(before, 1), round(after, 1)]
        found[f"{side} ended"] = {n: told[-1][side][n] for n in ("lost", "leaps", "voice_jumps", "overflows", "open")}
    found["load"] = round(float(np.median([t["load"] for t in told])), 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of every condition")
    parser.add_argument("--minutes", type=float, help="of one long call, in place of the conditions")
    parser.add_argument("--only", choices=("conditions", "rate", "motion", "video"))
    parser.add_argument("--home", type=Path, help="where a long call is kept; with --minutes 0 its figures only")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what was made is taken away
    speech = whole(read_audio(sample_speech()))
    found: dict[str, Any] = {}
    if args.minutes is not None:
        with tempfile.TemporaryDirectory(prefix="lsp-call-") as folder:
            home = args.home or Path(folder)
            if args.minutes:
                home.mkdir(exist_ok=True)
                long_call(args.minutes, home)
            found["long call"] = long_figures(home)
    else:
        if args.only in (None, "rate"):
            room = np.random.default_rng(0).normal(0, ROOM_NOISE, 8 * SAMPLE_RATE_HZ).astype(np.float32)
            period_s = len(speech) / SAMPLE_RATE_HZ
            found["speaking, with its pauses"] = rate(speech, period_s)
            found["silence"] = rate(room, args.seconds)
        if args.only in (None, "motion"):
            found["a steered head"] = motion(speech, args.seconds)
        if args.only in (None, "video"):
            found["H.264"] = video(speech)
        if args.only in (None, "conditions"):
            found |= conditions(args.seconds)
    if args.json:
        print(json.dumps(found, indent=2))
        return
    for name, figures in found.items():
        print(name)
        for key, value in figures.items():
            print(f"  {key:24}{value if not isinstance(value, float) else round(value, 2)}")


if __name__ == "__main__":
    main()
