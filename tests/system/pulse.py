"""A private PulseAudio: microphones and listeners without a sound card.

`with pulse_server() as pulse:` starts a server of its own, in folders of its own. A child started with
`env=pulse.environ` sees, through PortAudio, the microphone `test_mic` (which hears what is played with
`pulse.play(...)`) and the loudspeaker `lsp_out`, whose sound any program can record as `lsp_mic`.
Needs Debian's pulseaudio, pulseaudio-utils, libportaudio2, libasound2-plugins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")
PCM = 'pcm.{name} {{ type pulse device {name} hint {{ show on description "{label}" }} }}\n'

LOUDSPEAKER = (
    "load-module module-null-sink sink_name=lsp_out rate=48000 channels=1 channel_map=mono norewinds=1 "
    "sink_properties=device.description=LspMicSink\n"
    "load-module module-remap-source source_name=lsp_mic master=lsp_out.monitor "
    "source_properties=device.description=LspMic\n"
    "set-default-sink lsp_out\n"
)


@dataclass
class PulseServer:
    """A server. `environ` is what a child needs to find it (HOME is the server's own folder too)."""

    folder: Path
    environ: dict[str, str]
    rate_hz: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, with the microphone plugged in."""
        (self.folder / "native").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "-F",
                str(self.folder / "native.pa"),
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--use-pid-file=no",
                "--disallow-exit",
                "--disable-shm=yes",
                f"--log-target=newfile:{self.folder}/log",
            ],
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.await_ready(self.process)
        self.plug()

    def crash(self) -> None:
        """Kill the server; `start` starts it again."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pactl(self, *words: str) -> str:
        """Run pactl; gives what it printed, or raises AssertionError with what it complained of."""
        done = subprocess.run(["pactl", *words], env=self.environ, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, f"pactl {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def play(self, path: Path, sink: str = "mic_feed") -> subprocess.Popen[bytes]:
        """Play a WAV file into a sink; the microphone `test_mic` hears what `mic_feed` plays."""
        return subprocess.Popen(["paplay", "-d", sink, str(path)], env=self.environ, stderr=subprocess.DEVNULL)

    @contextmanager
    def talking(self, path: Path, sink: str = "mic_feed") -> Iterator[None]:
        """Play a WAV file over and over, whenever the sink is there."""
        over = threading.Event()

        def talk() -> None:
            while not over.wait(0.1):
                player = self.play(path, sink)
                while player.poll() is None and not over.wait(0.1):
                    continue
                player.terminate()
                player.wait()

        talker = threading.Thread(target=talk)
        talker.start()
        try:
            yield
        finally:
            over.set()
            talker.join()

    def record(self, path: Path, source: str = "lsp_mic", rate_hz: int = 16_000) -> subprocess.Popen[bytes]:
        """Record a source into a mono WAV file until the process is terminated."""
        return subprocess.Popen(
            [
                "parec",
                "-d",
                source,
                f"--rate={rate_hz}",
                "--channels=1",
                "--format=s16le",
                "--latency-msec=20",
                "--file-format=wav",
                str(path),
            ],
            env=self.environ,
            stderr=subprocess.DEVNULL,
        )

    def plug(self, rate_hz: int | None = None) -> None:
        """Plug the microphone in, which runs at `rate_hz` (None: as ever)."""
        # Without norewinds the capture timeline jumps whenever playback starts.
        self.pactl(
            "load-module",
            "module-null-sink",
            "sink_name=mic_feed",
            f"rate={rate_hz or self.rate_hz}",
            "channels=1",
            "channel_map=mono",
            "norewinds=1",
            "sink_properties=device.description=MicFeed",
        )
        self.pactl(
            "load-module",
            "module-remap-source",
            "source_name=test_mic",
            "master=mic_feed.monitor",
            "channels=1",
            "channel_map=mono",
            "source_properties=device.description=TestMic",
        )
        self.pactl("set-default-source", "test_mic")

    def unplug(self) -> None:
        """Pull the microphone out, under whoever records from it."""
        for line in reversed(self.pactl("list", "short", "modules").splitlines()):
            if "mic_feed" in line:
                self.pactl("unload-module", line.split()[0])

    def await_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the server answers."""
        deadline_s = time.monotonic() + 20
        while True:
            try:
                self.pactl("info")
                return
            except AssertionError:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    log = self.folder / "log"
                    told = log.read_text() if log.exists() else ""
                    raise AssertionError(f"the sound server did not start:\n{told}") from None
                time.sleep(0.1)


@contextmanager
def pulse_server(rate_hz: int = 48_000, *, loudspeaker: bool = True) -> Iterator[PulseServer]:
    """A server whose microphone runs at `rate_hz`; stops it and removes its folders at the end.

    PulseAudio moves a recording whose microphone is unplugged to whatever else can be recorded; `loudspeaker=False`
    leaves nothing else.
    """
    # A socket's path may have 107 bytes at most; pytest's temporary folders are longer than that.
    folder = Path(tempfile.mkdtemp(prefix="lsp-pulse-", dir="/tmp"))
    protocol = f"load-module module-native-protocol-unix socket={folder}/native auth-anonymous=1\n"
    (folder / "native.pa").write_text(protocol + (LOUDSPEAKER if loudspeaker else ""))
    (folder / ".asoundrc").write_text(
        PCM.format(name="test_mic", label="test mic") + PCM.format(name="lsp_out", label="lsp out")
    )
    pulse = PulseServer(folder, _environ(folder), rate_hz)
    try:
        pulse.start()
        yield pulse
    finally:
        pulse.crash()
        shutil.rmtree(folder, ignore_errors=True)


def available() -> bool:
    """Whether the programs that this needs are installed."""
    return all(shutil.which(program) for program in PROGRAMS)


def _environ(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULSE_", "XDG_", "ALSA_"))}
    return kept | {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_RUNTIME_PATH": str(folder),
        "PULSE_SERVER": f"unix:{folder}/native",
    }
