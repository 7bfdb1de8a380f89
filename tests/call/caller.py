"""One side of a call as a program of its own, whose devices are files: for calls between two hosts.

    python -m tests.call.caller listen | dial --speech FILE.npy --record FOLDER

It is what `lsp-cam call` runs, its daemon and control interface with it; but the microphone is a file, and what the
camera and the loudspeaker get is written down with the time. It speaks JSON by lines: a code each way, then an answer
to every "stats", to every {"pose": fields of Steering} (our own head's), and to every {"junk": count} (in place of
poses), until "end".
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lsp_cam.call.conversation import Conversation
from lsp_cam.call.exchange import Exchange
from lsp_cam.call.meeting import dial_by_hand, listen_by_hand
from lsp_cam.call.opus import Config
from lsp_cam.call.peer import Peer
from lsp_cam.call.playout import Playout
from lsp_cam.call.voices import FarVoice
from lsp_cam.config import RunSettings
from lsp_cam.daemon.choose import Cast
from lsp_cam.daemon.core import Daemon
from lsp_cam.daemon.log import open_log
from lsp_cam.daemon.options import StartOptions
from lsp_cam.daemon.pacing import DuePictures
from lsp_cam.daemon.show import Due
from lsp_cam.devices.base import BLOCK_SAMPLES, AudioBlock
from lsp_cam.devices.null import ListVoice, NullSink
from lsp_cam.devices.wavfile import FileSource
from lsp_cam.packets import MOTION_FPS, SAMPLE_RATE_HZ, Float32, UInt8, frame_start_sample
from lsp_cam.stages.landmarks import LIPS
from lsp_cam.stages.steer import Steering
from lsp_cam.store import Store
from lsp_cam.web.host import Host

SOUND = np.dtype([("at_s", "<f8"), ("samples", "<i2", BLOCK_SAMPLES)])
TURNED = np.dtype([("at_s", "<f8"), ("yaw_deg", "<f8")])
SEEN = np.dtype([("at_s", "<f8"), ("frame", "<i8"), ("lips", "<f4", (len(LIPS), 2))])
KEPT_FRAMES = 600


class Microphone(FileSource):
    """A file, over and over; it notes when its first sample sounded."""

    begun_s: float | None = None

    def read(self, timeout_s: float) -> AudioBlock | None:
        block = super().read(timeout_s)
        if block is not None and self.begun_s is None:
            self.begun_s = block.captured_s - len(block.samples) / SAMPLE_RATE_HZ
        return block


class Ear(ListVoice):
    """A loudspeaker that writes down what is heard, and when."""

    def __init__(self, file: BinaryIO, skew: float) -> None:
        super().__init__(skew=skew)
        self._file = file

    def write(self, samples: Float32) -> None:
        super().write(samples)
        heard_s, heard = self.blocks.pop()
        note_sound(self._file, heard_s, heard)


class Noted(DuePictures[Due]):
    """Has every picture noted that becomes due, and hands it on."""

    def __init__(self, due: DuePictures[Due], note: Callable[[Due], None]) -> None:
        super().__init__()
        self._due, self._note = due, note

    def put(self, picture: Due) -> None:
        self._note(picture)
        self._due.put(picture)


class Eye(NullSink):
    """A camera that writes down the lips of every new picture, and when it came."""

    daemon: Daemon | None = None

    def __init__(self, file: BinaryIO, turned: RawIOBase) -> None:
        super().__init__()
        self._file, self._turned = file, turned
        self._lips: dict[int, Float32] = {}
        self._last: int | None = None

    def follow(self, daemon: Daemon) -> None:
        daemon.listener.due = Noted(daemon.due, lambda picture: self._note(picture, daemon))
        self.daemon = daemon

    def _note(self, picture: Due, daemon: Daemon) -> None:
        """Its lips, and, where the head is steered, when it was heard and how far the head has turned."""
        frame, head = picture.landmarks.frame, daemon.listener.show.head
        self._lips[frame] = picture.landmarks.points[list(LIPS)]
        heard_s = daemon.clock.time_of(frame_start_sample(frame))
        if heard_s is not None and head is not None:
            self._turned.write(struct.pack("<dd", heard_s, head[0]))

    def send(self, rgb: UInt8) -> None:
        super().send(rgb)
        frame = self.daemon.camera.shown.frame if self.daemon is not None else None
        lips = self._lips.get(frame) if frame is not None else None
        if frame is None or lips is None or frame == self._last:
            return
        self._last = frame
        self._file.write(struct.pack("<dq", time.monotonic(), frame) + lips.astype("<f4").tobytes())
        for old in [f for f in self._lips.copy() if f < frame - KEPT_FRAMES]:
            del self._lips[old]


class Arriving(FarVoice):
    """The other side's voice, written down as the portrait hears it."""

    file: BinaryIO

    def read(self, timeout_s: float) -> AudioBlock | None:
        block = super().read(timeout_s)
        if block is not None:
            note_sound(self.file, block.captured_s, block.samples)
        return block


def note_sound(file: BinaryIO, at_s: float, samples: Float32) -> None:
    levels = np.clip(samples * 32767, -32767, 32767).astype("<i2")
    file.write(struct.pack("<d", at_s) + levels.tobytes())


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("listen", "dial"))
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--subject", default="sketch")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--skew", type=float, default=0.0, help="how much faster the sound card runs than the clock")
    parser.add_argument("--bitrate", type=int, default=Config.bitrate_bps)
    parser.add_argument("--free", action="store_true", help="the speech moves the head; else it is held")
    args = parser.parse_args()
    args.record.mkdir(parents=True)
    open_log()
    stop, playout, exchange = threading.Event(), Playout(), Exchange()
    peer = Peer(playout.hear, exchange.hear, None, playout.head.hear)
    microphone = Microphone(np.load(args.speech), speed=1 + args.skew)
    call = Conversation(peer, playout, lambda: microphone, stop, Config(args.bitrate))
    with ExitStack() as files:
        heard, seen, arrived = (files.enter_context((args.record / n).open("wb")) for n in ("heard", "seen", "arrived"))
        turned = files.enter_context((args.record / "turned").open("wb", buffering=0))  # it fills slowly
        eye, ear = Eye(seen, turned), Ear(heard, args.skew)

        def cast(options: StartOptions, store: Store) -> Cast:
            found = call.cast(options, store)
            voice = Arriving(playout, peer)
            voice.file = arrived

            def begun(daemon: Daemon) -> None:
                if not args.free:
                    daemon.steer(Steering("fixed"))
                eye.follow(daemon)
                found.begun(daemon)
                threading.Thread(target=obey, args=(peer, playout, daemon, microphone, call, stop), daemon=True).start()

            return dataclasses.replace(found, open_source=lambda: voice, camera=eye, voice=ear, begun=begun)

        if args.role == "listen":
            listen_by_hand(peer, lambda code: say(code=code), lambda: json.loads(sys.stdin.readline())["code"])
        else:
            dial_by_hand(peer, json.loads(sys.stdin.readline())["code"], lambda code: say(code=code))
        settings = RunSettings(subject=args.subject, camera="none", mic_out="none", fps=args.fps)
        try:
            call.begin()
            Host(StartOptions(settings=settings), stop, cast=cast).run()
        finally:
            call.end()
    say(over=True)


def obey(
    peer: Peer, playout: Playout, daemon: Daemon, microphone: Microphone, call: Conversation, stop: threading.Event
) -> None:
    """Answer what is asked on standard input."""
    say(on_air=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked == "end":
            break
        if "pose" in asked:
            track = asked["pose"].pop("track", None)
            rows = None if track is None else np.asarray(track, np.float32)
            daemon.steer(Steering(**asked["pose"], track=rows))
            say(spoken_s=(microphone.begun_s or 0.0) + call.head._frame / MOTION_FPS)
            continue
        if "junk" in asked:
            rng = np.random.default_rng(0)
            for _ in range(asked["junk"]):
                peer.move(rng.bytes(int(rng.integers(0, 60))))
                time.sleep(0.01)
            say(thrown=True)
            continue
        status = Path(f"/proc/{os.getpid()}/status").read_text()
        memory = {
            w[0]: int(w[1]) / 1024 for w in (r.split() for r in status.splitlines()) if w[0] in ("VmRSS:", "RssAnon:")
        }
        say(
            now_s=time.monotonic(), begun_s=microphone.begun_s, overflows=microphone.overflows,
            memory_mb=memory["VmRSS:"], own_memory_mb=memory["RssAnon:"], threads=threading.active_count(),
            files=len(os.listdir("/proc/self/fd")), open=peer.is_open, told_loss=peer.loss,
            traffic=dataclasses.asdict(peer.traffic), delay_s=playout.delay_s, loss=playout.loss,
            lost=playout.lost, recovered=playout.recovered, late=playout.late, refused=playout.refused,
            leaps=playout.leaps, voice_jumps=daemon.voice.jumps,
            head_refused=playout.head.refused, head=daemon.listener.show.head,
        )  # fmt: skip
    stop.set()


if __name__ == "__main__":
    main()
