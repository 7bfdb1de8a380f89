"""What every stage from speech to motion promises: one answer whatever the chunks, and a state that travels."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from lsp_cam.packets import AudioChunk
from lsp_cam.stages.manifold import ManifoldConfig, ManifoldStage
from lsp_cam.stages.mel import MelStage
from lsp_cam.stages.voice import VoiceStage
from lsp_cam.stream import chunked, run_offline
from tests.released import ENGINE, gates_stage, mouth_stage, pose_stage, speech_stage

NAMES = ("mel", "speech", "manifold", "mouth", "gates", "pose", "voice")
BEFORE = {"speech": "mel", "manifold": "speech", "mouth": "manifold", "gates": "manifold", "pose": "gates"}
SIZES = (1, 7, 160, 267, 4096)


@pytest.fixture(scope="module")
def chain(case_a: Any, make_release: Any) -> dict[str, Any]:
    return make_chain(case_a, make_release)


def make_chain(case: Any, make_release: Any) -> dict[str, Any]:
    """Every stage by name, the pose with noise and its tail."""
    return {
        "mel": MelStage(),
        "speech": speech_stage(make_release, case),
        "manifold": ManifoldStage(case.subject["feature_base"], ManifoldConfig()),
        "mouth": mouth_stage(make_release, case),
        "gates": gates_stage(make_release, case),
        "pose": pose_stage(make_release, case, seed=4, sigma_scale=0.3, pad_tail=True),
        "voice": VoiceStage(ENGINE, look_ahead_frames=18),
    }


@pytest.fixture(scope="module")
def audio(case_a: Any) -> Any:
    return np.concatenate([case_a.expected["audio"][:32_000], np.zeros(8_111, np.float32)])


def packets_of(chain: dict[str, Any], name: str, chunks: Iterator[AudioChunk]) -> Iterator[Any]:
    """What stage `name` gives, fed through the stages before it."""
    if name == "voice":
        return run_offline(chain["voice"], chunks)
    before = BEFORE.get(name)
    return run_offline(chain[name], chunks if before is None else packets_of(chain, before, chunks))


@pytest.fixture(scope="module")
def whole(chain: dict[str, Any], audio: Any) -> dict[str, list[Any]]:
    """What every stage gives for the clip in one chunk."""
    return {name: list(packets_of(chain, name, iter([AudioChunk(audio)]))) for name in NAMES}


def assert_same(got: list[Any], wanted: list[Any]) -> None:
    assert [x.frame for x in got] == [x.frame for x in wanted]
    for field in fields(wanted[0]):
        ours, theirs = (np.array([getattr(x, field.name) for x in packets]) for packets in (got, wanted))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [*SIZES, "random"])
def test_chunks_do_not_matter(chain: Any, audio: Any, whole: Any, name: str, size: int | str) -> None:
    if isinstance(size, int):
        chunks = chunked(audio, size)
    else:
        cuts = np.sort(np.random.default_rng(6).integers(0, len(audio), 40))
        chunks = (AudioChunk(part) for part in np.split(audio, cuts))
    assert_same(list(packets_of(chain, name, chunks)), whole[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("carry", ["copied", "pickled"])
def test_a_state_resumes_elsewhere(
    case_a: Any, make_release: Any, chain: Any, audio: Any, whole: Any, name: str, carry: str
) -> None:
    stage, other = chain[name], make_chain(case_a, make_release)[name]
    packets = inputs(whole, audio, name)
    middle = len(packets) // 3
    state, before = stage.start(), []
    for x in packets[:middle]:
        ys, state = stage.step(x, state)
        before += ys
    kept = copy.deepcopy(state) if carry == "copied" else pickle.loads(pickle.dumps(state))
    left = before + finish(stage, packets[middle:], state)
    assert_same(left, whole[name])
    assert_same(before + finish(other, packets[middle:], copy.deepcopy(kept)), whole[name])
    assert_same(before + finish(stage, packets[middle:], kept), whole[name])


def inputs(whole: Any, audio: Any, name: str) -> list[Any]:
    before = BEFORE.get(name)
    return list(chunked(audio, 500)) if before is None else whole[before]


def finish(stage: Any, packets: list[Any], state: Any) -> list[Any]:
    out: list[Any] = []
    for x in packets:
        ys, state = stage.step(x, state)
        out += ys
    return out + stage.flush(state)[0]
