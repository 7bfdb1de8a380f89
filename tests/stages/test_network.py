"""Networks that do not fit their stage are refused when they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from lsp_cam.errors import BundleError, ModelError
from lsp_cam.stages.gates import GatesStage
from lsp_cam.stages.mouth import MouthStage
from lsp_cam.stages.pose import PoseStage
from lsp_cam.stages.speech import SpeechStage
from lsp_cam.subject import write_bundle
from lsp_cam.train.export import mouth_onnx, speech_onnx
from tests.bundles import manifest_fields
from tests.released import ENGINE, state_dict
from tests.sketch import line_renderer


def bundle(root: Path, **files: bytes) -> Any:
    fields = {**manifest_fields("odd"), "settings": {}}
    return write_bundle(root, fields, {f"{name}.onnx": data for name, data in files.items()})


def test_a_network_in_the_place_of_another_is_refused(tmp_path: Path, case_a: Any, make_release: Any) -> None:
    mouth = mouth_onnx(state_dict(make_release, case_a, "Audio2Feature"))
    subject = bundle(tmp_path, speech=mouth, pose=mouth, pose_speech=mouth)
    with pytest.raises(BundleError, match=r"odd: speech.onnx has the inputs \['c_in', 'features', 'h_in'\]"):
        SpeechStage.from_subject(subject, ENGINE)
    with pytest.raises(BundleError, match=r"pose_speech.onnx has the inputs"):
        GatesStage.from_subject(subject, ENGINE)
    with pytest.raises(BundleError, match=r"pose.onnx has the inputs"):
        PoseStage.from_subject(subject, ENGINE, pad_tail=True)


def test_a_network_of_another_size_is_refused(
    tmp_path: Path, case_a: Any, make_release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = bundle(tmp_path, speech=speech_onnx(state_dict(make_release, case_a, "APC")))
    monkeypatch.setattr("lsp_cam.stages.speech.MEL_BANDS", 64)
    with pytest.raises(BundleError, match=r"input 'mel' is float32 \(4, 80\), not float32 \(4, 64\)"):
        SpeechStage.from_subject(subject, ENGINE)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"odd: mouth.onnx is no ONNX file"):
        MouthStage.from_subject(bundle(tmp_path, mouth=b"no network"), ENGINE)
    lame = onnx.load_from_string(line_renderer(32))
    lame.graph.node[0].input[0] = "nothing"
    with pytest.raises(ModelError, match=r"odd/mouth.onnx network does not load"):
        MouthStage.from_subject(bundle(tmp_path, mouth=lame.SerializeToString()), ENGINE)
