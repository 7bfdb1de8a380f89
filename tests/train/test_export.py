"""ONNX files of the motion networks: what the torch networks give, step by step, and wrong weights refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
import torch

from lsp_cam.backends.base import step_model, zero_state
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.errors import ModelError
from lsp_cam.train.export import mouth_onnx, pose_onnx, pose_speech_onnx, speech_onnx
from lsp_cam.train.models.mouth import MouthNet
from lsp_cam.train.models.pose import DILATIONS, POSE, RECEPTIVE_FIELD, PoseNet
from lsp_cam.train.models.speech import SpeechEncoder

Net = TypeVar("Net", bound=torch.nn.Module)
ENGINE = OrtEngine(threads=1)
EXPORTS = [(SpeechEncoder, speech_onnx), (MouthNet, mouth_onnx), (PoseNet, pose_onnx), (PoseNet, pose_speech_onnx)]


def network(kind: Callable[[], Net]) -> Net:
    """A network whose batch norms have seen something."""
    torch.manual_seed(2)
    made = kind().eval()
    for name, value in made.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            value.normal_(0, 0.1)
    return made


def rolled(onnx: bytes, **series: Any) -> dict[str, Any]:
    """Outputs (T, ...) of a file stepped over inputs (T, ...), from a state of zeros."""
    model = ENGINE.load(onnx, "test")
    state, outs = zero_state(model), []
    for feeds in zip(*series.values(), strict=True):
        got, state = step_model(model, dict(zip(series, feeds, strict=True)), state)
        outs.append(got)
    return {name: np.stack([out[name] for out in outs]) for name in outs[0]}


def random(*shape: int) -> Any:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


@torch.no_grad()
def test_the_speech_file_gives_the_torch_features() -> None:
    net, mel = network(SpeechEncoder), random(10, 4, 80)
    wanted = net(torch.from_numpy(mel.reshape(1, -1, 80)))[0][0].numpy()
    got = rolled(speech_onnx(net.state_dict()), mel=mel)["features"]
    np.testing.assert_allclose(got.reshape(-1, 512), wanted, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_residual_encoder_adds_what_goes_into_each_equal_layer() -> None:
    net, mel = network(SpeechEncoder), random(10, 4, 80)
    x = torch.from_numpy(mel.reshape(1, -1, 80))
    for layer in net.rnns:
        y = layer(x)[0]
        x = y + x if x.shape == y.shape else y
    got = rolled(speech_onnx(net.state_dict(), residual=True), mel=mel)["features"]
    np.testing.assert_allclose(got.reshape(-1, 512), x[0].numpy(), rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_mouth_file_gives_the_torch_displacements() -> None:
    net, features = network(MouthNet), random(20, 2, 1024)
    wanted = net(torch.from_numpy(features.reshape(1, -1, 1024)))[0][0].numpy()
    got = rolled(mouth_onnx(net.state_dict()), features=features)["delta"]
    np.testing.assert_allclose(got.reshape(-1, 75), wanted, rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_pose_file_gives_the_torch_column() -> None:
    net, length = network(PoseNet), RECEPTIVE_FIELD + 30
    features, history = random(length, 1, 1024), 3 * random(length, 1, POSE)
    wanted = net(torch.from_numpy(features[:, 0])[None], torch.from_numpy(history[:, 0])[None])[0].numpy()
    pairs = np.append(features, features[-1:], axis=0).reshape(-1, 2, 1024)[: -(-length // 2)]
    gates = rolled(pose_speech_onnx(net.state_dict()), features=pairs)["gates"].reshape(-1, 14, 256)[:length]
    got = columns_in_turn(pose_onnx(net.state_dict()), gates, history)
    np.testing.assert_allclose(got[RECEPTIVE_FIELD - 1 :], wanted[RECEPTIVE_FIELD - 1 :], rtol=0, atol=2e-5)


def columns_in_turn(onnx: bytes, gates: Any, history: Any) -> Any:
    """`raw` (T, 25) of the pose file, each layer's past looked up in all that it has seen so far."""
    model, seen, raws = ENGINE.load(onnx, "test"), [np.zeros((14, 128), np.float32)] * 64, []
    for one, pose in zip(gates, history, strict=True):
        past = np.stack([seen[-dilation][layer] for layer, dilation in enumerate(DILATIONS)])
        got = model.run({"gates": one, "history": pose, "past": past})
        seen.append(got["columns"])
        raws.append(got["raw"][0])
    return np.stack(raws)


def test_what_inference_does_not_use_is_left_alone() -> None:
    state = network(SpeechEncoder).state_dict()
    assert speech_onnx({**state, "postnet.weight": torch.zeros(3)}) == speech_onnx(state)


@pytest.mark.parametrize(("kind", "export"), EXPORTS)
def test_wrong_weights_are_refused_by_name(kind: Any, export: Any) -> None:
    state = network(kind).state_dict()
    used = [k for k in state if export is not pose_speech_onnx or "audio_downsample" in k]
    key = next(k for k in reversed(used) if k.endswith("weight") or "weight_hh" in k)
    with pytest.raises(ModelError, match=f"lack '{key}'"):
        export({k: v for k, v in state.items() if k != key})
    with pytest.raises(ModelError, match=f"'{key}' has the shape"):
        export({**state, key: state[key][:-1]})
    with pytest.raises(ModelError, match=f"'{key}' holds values that are not finite"):
        export({**state, key: state[key] * np.nan})
