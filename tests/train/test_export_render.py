"""The generators' ONNX files: the torch network's pictures, candidates counted once, wrong weights refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch

from lsp_cam.backends.ort import OrtEngine
from lsp_cam.errors import ModelError
from lsp_cam.train.export_render import generator_kind, render_onnx
from lsp_cam.train.models.render import Generator, Kind


def generator(kind: Kind) -> Generator:
    """A small generator with weights and running statistics that are no defaults."""
    torch.manual_seed(3)
    made = Generator(kind, ngf=4).eval()
    with torch.no_grad():
        for name, value in made.state_dict().items():
            if name.endswith(("running_var", ".1.weight", ".4.weight")):
                value.uniform_(0.5, 1.5)
            elif name.endswith(("running_mean", "bias")):
                value.normal_(0, 0.1)
    return made


@pytest.mark.parametrize("kind", ["normal", "large"])
@pytest.mark.parametrize("size", [256, 512])
def test_the_files_give_the_torch_pictures(kind: Kind, size: int) -> None:
    net = generator(kind)
    state = net.state_dict()
    assert generator_kind(state) == (kind, 4)
    files = render_onnx(state, kind, 4, size)
    rng = np.random.default_rng(1)
    drawn = (rng.uniform(size=(1, 1, size, size)) > 0.9).astype(np.float32)
    candidates = rng.uniform(-1, 1, (1, 12, size, size)).astype(np.float32)
    engine = OrtEngine()
    constants = engine.load(files["render_constants.onnx"], "constants").run({"candidates": candidates})
    got = engine.load(files["render.onnx"], "render").run({"map": drawn, **constants})["frame"]
    with torch.no_grad():
        wanted = net(torch.from_numpy(np.concatenate([drawn, candidates], axis=1))).numpy()
    assert wanted.std() > 0.01
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_no_batch_norm_is_left_and_the_candidates_are_counted_once() -> None:
    files = render_onnx(generator("normal").state_dict(), "normal", 4, 256)
    model = onnx.load_from_string(files["render.onnx"])
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in model.graph.input} == {
        "map": (1, 1, 256, 256),
        "candidate_features": (1, 4, 128, 128),
    }


def test_weights_that_do_not_fit_are_refused() -> None:
    state: dict[str, Any] = dict(generator("normal").state_dict())
    with pytest.raises(ModelError, match="multiple of 256"):
        render_onnx(state, "normal", 4, 300)
    with pytest.raises(ModelError, match="lack"):
        render_onnx(state, "large", 4, 256)
    with pytest.raises(ModelError, match="no weights of a generator"):
        generator_kind({"model.model.0.weight": torch.zeros(4, 23, 3, 3)})
    with pytest.raises(ModelError, match="no weights of a generator"):
        generator_kind({})
    state["model.model.5.weight"] = torch.full((3, 8, 3, 3), float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        render_onnx(state, "normal", 4, 256)
