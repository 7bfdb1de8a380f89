"""Films in segments: made in one go or piece by piece, they are the same."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.devices.encode import Encoder, finalise
from lsp_cam.devices.h264 import Segment, encode_segment, segment_pictures

from .media import lag, noise, picture, play

FPS = Fraction(1)  # a segment is then 60 pictures


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
@pytest.mark.parametrize("pictures", [59, 60, 61, 130])
def test_segments_made_elsewhere_give_the_same_bytes(tmp_path: Path, kind: str, pictures: int) -> None:
    size, speech = segment_pictures(FPS), noise(float(pictures))
    whole, joined = Path(tmp_path / "whole"), Path(tmp_path / "joined")
    encoder = Encoder(whole, kind, 64, 64, FPS)
    encoder.speech(speech)
    for index in range(pictures):
        encoder.frame(picture(index))
    encoder.close()

    encoder = Encoder(joined, kind, 64, 64, FPS)
    encoder.speech(speech)
    for start in range(0, pictures, size):
        made = encode_segment((picture(i) for i in range(start, min(start + size, pictures))), 64, 64, FPS)
        sent: Segment = pickle.loads(pickle.dumps(made))
        encoder.segment(sent)
    encoder.close()
    assert whole.read_bytes() == joined.read_bytes()


def test_a_film_of_several_segments_plays_without_a_gap(tmp_path: Path) -> None:
    pictures, speech = 130, noise(130.0)
    encoder = Encoder(tmp_path / "a.part", "mp4", 64, 64, FPS)
    encoder.speech(speech)
    for index in range(pictures):
        encoder.frame(picture(index))
    encoder.close()
    finalise(tmp_path / "a.part", tmp_path / "a.mp4", "mp4")
    video = play(tmp_path / "a.mp4")
    assert video.times == pytest.approx(list(range(pictures)), abs=0.002)
    assert np.mean([abs(f.astype(int) - picture(i)).mean() for i, f in enumerate(video.frames)]) < 4
    assert lag(video.sound, speech) == 0
