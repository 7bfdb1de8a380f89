"""A subject without networks: its pictures tell who it is and which motion frame they show."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lsp_cam.errors import BundleError, ModelError, SubjectNotFound
from lsp_cam.packets import (
    AudioChunk,
    FeatureMap,
    Frame,
    LandmarkFrame,
    Manner,
    UInt8,
    frame_start_sample,
    frames_in,
)
from lsp_cam.stages.steer import Steering

SIDE = 32
LOOK_AHEAD = 4000


@dataclass(frozen=True)
class FakeSubject:
    """`shade`: what its pictures have in their red channel."""

    name: str
    shade: int


class FakeMotion:
    """Gives every frame whose speech, and LOOK_AHEAD samples more, has been heard; notes how loud its speech was."""

    def start(self) -> dict[str, Any]:
        return {"heard": np.zeros(0, np.float32), "frames": 0, "steering": Steering()}

    def step(self, x: AudioChunk, state: dict[str, Any]) -> tuple[list[LandmarkFrame], dict[str, Any]]:
        heard = np.concatenate([state["heard"], x.samples])
        return self._until(frames_in(max(len(heard) - LOOK_AHEAD, 0)), {**state, "heard": heard})

    def flush(self, state: dict[str, Any]) -> tuple[list[LandmarkFrame], dict[str, Any]]:
        return self._until(frames_in(len(state["heard"])), state)

    @staticmethod
    def _until(count: int, state: dict[str, Any]) -> tuple[list[LandmarkFrame], dict[str, Any]]:
        frames = []
        for frame in range(state["frames"], count):
            spoken = state["heard"][frame_start_sample(frame) : frame_start_sample(frame + 1)]
            points = np.full((73, 2), np.abs(spoken).max(initial=0.0), np.float32)
            shoulders = np.full((18, 2), state["steering"].yaw_deg, np.float32)
            frames.append(LandmarkFrame(frame, points, shoulders))
        return frames, {**state, "frames": max(count, state["frames"])}


class FakePipeline:
    """See `lsp_cam.pipeline.Pipeline`; `render_s` is how long a picture takes. None is made until the renderer has been
    renewed `broken_until` times."""

    size = SIDE
    look_ahead_samples = LOOK_AHEAD

    def __init__(self, subject: FakeSubject, observe: Any, render_s: float = 0.0) -> None:
        self.subject = subject
        self.motion = FakeMotion()
        self.render_s = render_s
        self.rendered: list[int] = []
        self.renewed = 0
        self.broken_until = 0
        self._observe = observe
        self._landmarks: LandmarkFrame | None = None

    def idle(self) -> LandmarkFrame:
        return LandmarkFrame(0, np.zeros((73, 2), np.float32), np.zeros((18, 2), np.float32))

    def steer(self, state: dict[str, Any], steering: Steering) -> dict[str, Any]:
        return {**state, "steering": steering}

    def behave(self, state: dict[str, Any], manner: Manner) -> dict[str, Any]:
        return {**state, "manner": manner}

    def head(self, state: dict[str, Any]) -> tuple[float, ...]:
        return tuple(state["steering"].fixed)

    def draw(self, landmarks: LandmarkFrame) -> FeatureMap:
        self._landmarks = landmarks
        return FeatureMap(landmarks.frame, np.zeros((SIDE, SIDE), np.uint8))

    def render(self, feature_map: FeatureMap) -> Frame:
        if self.renewed < self.broken_until:
            raise ModelError("The fake renderer is out of order.")
        time.sleep(self.render_s)
        self._observe("render", self.render_s)
        self.rendered.append(feature_map.frame)
        assert self._landmarks is not None
        pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
        pixels[:, : SIDE // 2, 0] = self.subject.shade
        pixels[..., 1], pixels[..., 2] = feature_map.frame // 256, feature_map.frame % 256
        pixels[0, 0, 0] = round(255 * float(self._landmarks.points[0, 0]))
        pixels[0, 1, 0] = round(abs(float(self._landmarks.shoulders[0, 0])))
        return Frame(feature_map.frame, pixels)


@dataclass
class FakeLoader:
    """Knows `anna` and `bert`, and `broken`, who does not load."""

    render_s: float = 0.0
    load_s: float = 0.0
    engine_name: str = "fake"
    store: Any = None
    loaded: list[FakePipeline] = field(default_factory=list)

    def find(self, name: str, waived: bool = False) -> FakeSubject:
        shades = {"anna": 200, "bert": 100, "broken": 1}
        if name not in shades:
            raise SubjectNotFound(f"No subject '{name}' is installed.")
        return FakeSubject(name, shades[name])

    def badge_of(self, subject: FakeSubject) -> str:
        return ""

    def renew(self, pipeline: FakePipeline) -> None:
        pipeline.renewed += 1

    def load(self, subject: FakeSubject, observe: Any) -> FakePipeline:
        time.sleep(self.load_s)
        if subject.name == "broken":
            raise BundleError("broken: mouth.onnx was changed.")
        self.loaded.append(FakePipeline(subject, observe, self.render_s))
        return self.loaded[-1]


def shade_of(pixels: UInt8) -> int:
    """Who is shown."""
    return int(pixels[5, 5, 0])


def frame_of(pixels: UInt8) -> int:
    """Which motion frame is shown."""
    return int(pixels[5, 5, 1]) * 256 + int(pixels[5, 5, 2])


def loudness_of(pixels: UInt8) -> int:
    """How loud the speech of that frame was, 0 to 255."""
    return int(pixels[0, 0, 0])


def yaw_of(pixels: UInt8) -> int:
    """How far the head was turned."""
    return int(pixels[0, 1, 0])
