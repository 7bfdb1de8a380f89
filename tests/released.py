"""Networks of the reference cases: their state dicts, and the stages that run on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from lsp_cam.backends.base import Model
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.stages.gates import GatesStage
from lsp_cam.stages.mouth import MouthConfig, MouthStage
from lsp_cam.stages.pose import PoseConfig, PoseStage
from lsp_cam.stages.speech import SpeechStage

ENGINE = OrtEngine(threads=1)
_OFFSETS = {"APC": 0, "Audio2Feature": 1, "Audio2Headpose": 2}
_LAST = {"Audio2Feature": "fc.6", "Audio2Headpose": "WaveNet.end_conv_2"}


def state_dict(make_release: Any, case: Any, network: str) -> dict[str, Any]:
    """The weights of a case's network, its last layer scaled as `make_release.main` scales it."""
    state: dict[str, Any] = make_release.weights(case.state_dicts[network], case.seed + _OFFSETS[network])
    for part in ("weight", "bias"):
        if network == "Audio2Feature":
            state[f"{_LAST[network]}.{part}"] *= np.float32(case.config.get("mouth_gain", 0.02))
        if network == "Audio2Headpose":
            state[f"{_LAST[network]}.{part}"][1:] *= np.float32(0.05)
    return state


def model(make_release: Any, case: Any, network: str) -> Model:
    """The network, exported and loaded."""
    from lsp_cam.train.export import mouth_onnx, pose_onnx, speech_onnx

    export = {"APC": speech_onnx, "Audio2Feature": mouth_onnx, "Audio2Headpose": pose_onnx}[network]
    return ENGINE.load(export(state_dict(make_release, case, network)), network)


def gates_stage(make_release: Any, case: Any) -> GatesStage:
    """The part of the head-pose network that sees speech alone."""
    from lsp_cam.train.export import pose_speech_onnx

    return GatesStage(ENGINE.load(pose_speech_onnx(state_dict(make_release, case, "Audio2Headpose")), "pose speech"))


def speech_stage(make_release: Any, case: Any) -> SpeechStage:
    return SpeechStage(model(make_release, case, "APC"))


def mouth_stage(make_release: Any, case: Any) -> MouthStage:
    return MouthStage(model(make_release, case, "Audio2Feature"), MouthConfig())


def pose_stage(
    make_release: Any, case: Any, seed: int = 0, sigma_scale: float = 0.0, pad_tail: bool = False
) -> PoseStage:
    config = PoseConfig(sigma_scale=sigma_scale)
    return PoseStage(model(make_release, case, "Audio2Headpose"), config, seed, pad_tail=pad_tail)
