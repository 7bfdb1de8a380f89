"""Plain wiring of the stages: speech to landmarks, landmarks to pictures. No threads, no devices."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from .backends.base import Engine
from .packets import (
    AudioChunk,
    FeatureMap,
    Float32,
    Frame,
    HeadFrame,
    LandmarkFrame,
    Manner,
    MotionFrame,
    PoseKey,
    ShapeFrame,
    VoiceFrame,
    frame_start_sample,
)
from .stages.face import FaceStage
from .stages.featuremap import FeatureMapStage
from .stages.gates import GatesStage
from .stages.head import ClipHead, LiveHead
from .stages.manifold import ManifoldStage
from .stages.mel import MelStage
from .stages.mouth import MouthStage
from .stages.pose import PoseStage
from .stages.project import ProjectStage
from .stages.render import RenderStage
from .stages.shape import ClipShape, LiveShape
from .stages.speech import SpeechStage
from .stages.steer import Steering, SteerStage
from .stages.voice import VoiceStage
from .stream import Stage
from .subject import Subject

Smoothing = Literal["live", "published"]
Observe = Callable[[str, float], None]
Tap = Callable[[str, Any], None]

# The stages in the order in which a chunk passes them, and who takes what each gives; shape, head and voice meet in
# the join, which feeds steer.
_NEXT = {
    "voice": (),
    "mel": ("speech",),
    "speech": ("manifold",),
    "manifold": ("mouth", "gates"),
    "mouth": ("shape",),
    "shape": (),
    "gates": ("pose",),
    "pose": ("head",),
    "head": (),
    "steer": ("face",),
    "face": ("project",),
    "project": ("out",),
}
_JOINED = ("shape", "head", "voice")


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """How to run a subject. `sigma`: scale of the head's random motion (None: the subject's own)."""

    smoothing: Smoothing = "live"
    seed: int = 0
    sigma: float | None = None


@dataclass(slots=True)
class MotionState:
    """The state of every stage by name, and the packets that wait for their partners in the join."""

    stages: dict[str, Any]
    waiting: dict[str, deque[Any]] = field(default_factory=lambda: {name: deque() for name in _JOINED})


class MotionChain:
    """Speech to landmarks: a stage made of stages (AudioChunk -> LandmarkFrame).

    All packets of a chunk pass one stage before the next one runs: a network's weights are then read from memory
    once for a chunk, and from the cache for its other frames.
    """

    def __init__(self, stages: dict[str, Stage[Any, Any, Any]], observe: Observe | None, tap: Tap | None) -> None:
        self._stages = {name: stages[name] for name in _NEXT if name in stages}
        self._observe = observe
        self._tap = tap

    def start(self) -> MotionState:
        return MotionState({name: stage.start() for name, stage in self._stages.items()})

    def step(self, x: AudioChunk, state: MotionState) -> tuple[list[LandmarkFrame], MotionState]:
        return self._pass({"voice": [x], "mel": [x]}, state, last=False), state

    def flush(self, state: MotionState) -> tuple[list[LandmarkFrame], MotionState]:
        return self._pass({}, state, last=True), state

    def _pass(self, waiting: dict[str, list[Any]], state: MotionState, *, last: bool) -> list[LandmarkFrame]:
        """Run every stage over what `waiting` holds for it; `last`: no more will come."""
        for name in self._stages:
            if name == "steer":
                waiting[name] = self._join(state)
            given = self._run(name, waiting.pop(name, []), state)
            if last:
                held, state.stages[name] = self._stages[name].flush(state.stages[name])
                given += held
            if self._tap is not None:
                for y in given:
                    self._tap(name, y)
            if name in _JOINED:
                state.waiting[name].extend(given)
            for following in _NEXT[name]:
                waiting.setdefault(following, []).extend(given)
        landmarks: list[LandmarkFrame] = waiting["out"]
        return landmarks

    def _run(self, name: str, packets: list[Any], state: MotionState) -> list[Any]:
        given: list[Any] = []
        for x in packets:
            began = time.perf_counter()
            ys, state.stages[name] = self._stages[name].step(x, state.stages[name])
            if self._observe is not None:
                self._observe(name, time.perf_counter() - began)
            given += ys
        return given

    def _join(self, state: MotionState) -> list[MotionFrame]:
        shapes, heads, voices = (state.waiting[name] for name in _JOINED)
        gated = "voice" in self._stages
        joined = []
        while shapes and heads and (voices or not gated):
            shape: ShapeFrame = shapes.popleft()
            head: HeadFrame = heads.popleft()
            voice = voices.popleft() if gated else VoiceFrame(shape.frame, 1.0)
            assert shape.frame == head.frame == voice.frame, "branches of the chain lost step"
            joined.append(MotionFrame(shape.frame, shape, head, voice))
        return joined


class Pipeline:
    """A subject, ready to run on an engine."""

    def __init__(
        self,
        subject: Subject,
        engine: Engine,
        config: PipelineConfig = PipelineConfig(),
        observe: Observe | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.subject = subject
        self.config = config
        self._observe = observe
        stages = motion_stages(subject, engine, config)
        self._stages = stages
        self.motion = MotionChain(stages, observe, tap)
        self._featuremap = FeatureMapStage.from_subject(subject)
        self._render = RenderStage.from_subject(subject, engine)
        self.size = self._featuremap.config.size
        self.look_ahead_frames: int = stages["mouth"].config.look_ahead_frames
        # From the first sample that a frame shows to the last that it waits for: its own frame, the
        # look-ahead, and the second mel row, which reaches half a frame into the next one.
        self.look_ahead_samples = frame_start_sample(self.look_ahead_frames + 1) + MelStage.overhang_samples

    def idle(self) -> LandmarkFrame:
        """The portrait at rest, before any speech: mouth closed, head at its mean."""
        shape = ShapeFrame(0, self._stages["face"].rest_points)
        head = HeadFrame(0, self._stages["head"].rest_pose)
        motion = MotionFrame(0, shape, head, VoiceFrame(0, 0.0))
        faces, _ = self._stages["face"].step(motion, self._stages["face"].start())
        landmarks, _ = self._stages["project"].step(faces[0], self._stages["project"].start())
        frame: LandmarkFrame = landmarks[0]
        return frame

    def steer(self, state: MotionState, steering: Steering) -> MotionState:
        """The state with the head under `steering` from the next frame on."""
        state.stages["steer"] = self._stages["steer"].turn(state.stages["steer"], steering)
        return state

    def follow(self, state: MotionState, key: PoseKey) -> MotionState:
        """The state with the head led by `key`, too (see `SteerStage.follow`)."""
        state.stages["steer"] = self._stages["steer"].follow(state.stages["steer"], key)
        return state

    def behave(self, state: MotionState, manner: Manner) -> MotionState:
        """The state with `manner` from now on."""
        state.stages["pose"].liveliness = manner.liveliness
        state.stages["steer"] = self._stages["steer"].behave(state.stages["steer"], manner)
        return state

    def head(self, state: MotionState) -> tuple[float, ...] | None:
        """Where the head is: yaw, pitch, roll (degrees), x, y, z about its mean, as a viewer sees it; None before it
        moved."""
        seen: tuple[float, ...] | None = self._stages["steer"].seen(state.stages["steer"])
        return seen

    def draw(self, landmarks: LandmarkFrame) -> FeatureMap:
        """The feature map of a motion frame."""
        with self._timed("featuremap"):
            return self._featuremap.draw(landmarks)

    def render(self, feature_map: FeatureMap) -> Frame:
        """The picture of a feature map."""
        with self._timed("render"):
            return self._render.render(feature_map)

    def generate(self, feature_map: FeatureMap) -> Float32:
        """What the generator gives: (1, 3, S, S) float32 in -1..1, before it becomes a picture."""
        return self._render.generate(feature_map)

    def renew(self, engine: Engine) -> None:
        """Load the renderer anew. Raises BundleError, ModelError; then it is as it was."""
        self._render = RenderStage.from_subject(self.subject, engine)

    def use_candidates(self, engine: Engine, candidates: Float32) -> None:
        """Put `candidates` (1, 12, S, S) float32 in -1..1 in the place of the bundle's pictures."""
        self._render = RenderStage.from_subject(self.subject, engine, candidates)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        if self._observe is not None:
            self._observe(name, time.perf_counter() - began)


def motion_stages(subject: Subject, engine: Engine, config: PipelineConfig) -> dict[str, Any]:
    """The stages from speech to landmarks by name; `voice` only where silence closes the mouth (live)."""
    live = config.smoothing == "live"
    mouth = MouthStage.from_subject(subject, engine)
    pose = PoseStage.from_subject(subject, engine, seed=config.seed, sigma_scale=config.sigma, pad_tail=live)
    slack = mouth.config.look_ahead_frames - pose.config.look_ahead_frames
    stages: dict[str, Any] = {
        "mel": MelStage(),
        "speech": SpeechStage.from_subject(subject, engine),
        "manifold": ManifoldStage.from_subject(subject),
        "mouth": mouth,
        "gates": GatesStage.from_subject(subject, engine),
        "pose": pose,
        "shape": LiveShape.from_subject(subject)
        if live
        else ClipShape.from_subject(subject, drop_tail_frames=pose.config.look_ahead_frames),
        "head": LiveHead.from_subject(subject, look_ahead_frames=max(slack, 0))
        if live
        else ClipHead.from_subject(subject),
        "steer": SteerStage.from_subject(subject),
        "face": FaceStage.from_subject(subject, live=live),
        "project": ProjectStage.from_subject(subject),
    }
    if live:
        stages["voice"] = VoiceStage(engine, look_ahead_frames=mouth.config.look_ahead_frames)
    return stages
