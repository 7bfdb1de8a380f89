"""Training of the published renderer on a tiny clip: what it learns is what its files paint, killed or not."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lsp_cam.backends.ort import OrtEngine
from lsp_cam.errors import UsageError
from lsp_cam.train.export_render import generator_kind
from lsp_cam.train.models.render import Generator
from lsp_cam.train.render_data import Footage
from lsp_cam.train.render_fit import Config, Renderer, files, fit
from lsp_cam.train.render_gan import GanConfig, GanJob
from tests.train.footage import small_footage

TINY = GanConfig(ngf=4, ndf=4, rate=1e-3, last_rate=1e-4)


@pytest.fixture(scope="module")
def footage(shared: Path) -> Footage:
    return small_footage(shared, frames=12, side=256)


def config(out: Path, renderer: Renderer = "normal", steps: int = 3, gan: GanConfig = TINY) -> Config:
    return Config(out, renderer, steps, device="cpu", threads=1, save_every=1, check_every=3, checks=2, gan=gan)


def test_killed_and_resumed_gives_the_same_weights(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = torch.load(fit(footage, config(tmp_path / "whole")), weights_only=True)
    step = GanJob.step

    def dying(self: GanJob, number: int, steps: int) -> dict[str, float]:
        if number == 2:
            raise KeyboardInterrupt
        return step(self, number, steps)

    monkeypatch.setattr(GanJob, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        fit(footage, config(tmp_path / "killed"))
    monkeypatch.undo()
    resumed = torch.load(fit(footage, config(tmp_path / "killed")), weights_only=True)
    for name, value in whole["model"].items():
        assert torch.equal(resumed["model"][name], value), name


@pytest.mark.parametrize("renderer", ["large", "plain"])
def test_its_files_paint_what_it_has_learned(footage: Footage, tmp_path: Path, renderer: Renderer) -> None:
    best = fit(footage, config(tmp_path, renderer, steps=2))
    made, state = files(best), torch.load(best, weights_only=True)
    pictures = [cv2.imdecode(np.frombuffer(made[f"candidates/{k}.png"], np.uint8), cv2.IMREAD_COLOR) for k in range(4)]
    beside = np.concatenate([cv2.cvtColor(p, cv2.COLOR_BGR2RGB) for p in pictures], axis=2).transpose(2, 0, 1)[None]
    candidates = beside.astype(np.float32) / 127.5 - 1
    drawn = footage.feature_map(3)[None]
    assert generator_kind(state["model"]) == (renderer, 4)
    net = Generator(renderer, 4).eval()
    net.load_state_dict(state["model"])
    with torch.no_grad():
        wanted = net(torch.cat([drawn, torch.from_numpy(candidates)], dim=1)).numpy()
    engine = OrtEngine()
    kept = engine.load(made["render_constants.onnx"], "constants").run({"candidates": candidates})
    got = engine.load(made["render.onnx"], "render").run({"map": drawn.numpy(), **kept})["frame"]
    np.testing.assert_allclose(got, wanted, atol=5e-3)  # weights are kept in half floats


def test_without_candidates_they_change_nothing(footage: Footage, tmp_path: Path) -> None:
    best = fit(footage, config(tmp_path, steps=2, gan=replace(TINY, candidates=False)))
    first = torch.load(best, weights_only=True)["model"]["model.model.0.weight"]
    assert not first[:, 1:].any()
    assert first[:, :1].any()


def test_it_gets_nearer_to_the_pictures(footage: Footage, tmp_path: Path) -> None:
    fit(footage, config(tmp_path, steps=8))
    rows = np.genfromtxt(tmp_path / "render.csv", delimiter=",", names=True)
    assert rows["l1"][-3:].mean() < 0.8 * rows["l1"][:3].mean()


def test_sizes_that_it_cannot_make_are_told(footage: Footage, tmp_path: Path) -> None:
    odd = replace(footage, frames=footage.frames[:, :128, :128])
    with pytest.raises(UsageError, match="--size 256"):
        fit(odd, config(tmp_path))
