"""Videos for the tests, made of a few seconds of the rendered person who does not exist."""

import wave
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.packets import SAMPLE_RATE_HZ

Pictures = NDArray[np.uint8]
FPS = 15
FIRST = 60  # of the footage: where speech has begun


def pictures_of(shared: Path, count: int, side: int = 192) -> Pictures:
    """Every second picture (count, side, side, 3) of the footage, from its third second on."""
    found = []
    with av.open(str(shared / "data/synthetic/footage.mp4")) as video:
        for number, frame in enumerate(video.decode(video=0)):
            if number >= FIRST and number % 2 == 0:
                picture = frame.to_ndarray(format="rgb24")
                found.append(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))
            if len(found) == count:
                break
    return np.stack(found)


def speech_of(shared: Path, seconds: float) -> NDArray[np.int16]:
    """The sound beside them."""
    with wave.open(str(shared / "data/synthetic/audio.wav"), "rb") as file:
        file.setpos(FIRST * SAMPLE_RATE_HZ // 30)
        return np.frombuffer(file.readframes(int(seconds * SAMPLE_RATE_HZ)), np.int16)


def write_video(
    path: Path, pictures: Pictures, speech: NDArray[np.int16] | None, ticks: Sequence[int] | None = None
) -> Path:
    """Write an MP4; `ticks`: when each picture shows, in units of 1/FPS (by default one after the other)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "12", "preset": "ultrafast", "bf": "0"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        sound = None if speech is None else container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        if sound is not None and speech is not None:
            block = av.AudioFrame.from_ndarray(speech[None].copy(), format="s16", layout="mono")
            block.sample_rate = SAMPLE_RATE_HZ
            block.pts = 0
            for packet in [*sound.encode(block), *sound.encode(None)]:
                container.mux(packet)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if ticks is None else ticks[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def laid_down(path: Path) -> Path:
    """Mark a video as a phone does that was held upright: to be shown turned clockwise by a quarter."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    matrix = header + 4 + 4 + 36  # version and flags, then all that comes before the matrix in version 0
    turned = np.array([0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30], ">u4")
    data[matrix : matrix + 36] = turned.tobytes()
    path.write_bytes(bytes(data))
    return path
