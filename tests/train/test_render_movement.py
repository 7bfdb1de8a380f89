"""Movement by pose: the modes, the flows learned for them, and the network that reads them off the map."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lsp_cam.train.models.lite import MODES
from lsp_cam.train.render_lite import build
from lsp_cam.train.render_losses import anchor_loss, bend_loss, lids_loss
from lsp_cam.train.render_movement import PoseModes, fit_movement
from lsp_cam.train.render_warm import warm_up
from tests.train.footage import small_footage


def test_modes_are_a_pose_and_its_products(shared: Path) -> None:
    clip = small_footage(shared, frames=12).clip
    modes = PoseModes(clip).of_clip(clip)
    assert modes.shape == (12, MODES)
    assert (modes[:, 0] == 1).all()
    assert modes[:, 1:9].mean(dim=0).abs().max() < 1e-5
    torch.testing.assert_close(modes[:, 10], modes[:, 1] * modes[:, 2])


def test_a_body_that_leaves_its_place_is_a_mode_of_its_own(shared: Path) -> None:
    clip = small_footage(shared, frames=12).clip
    apart = np.where(np.arange(12) < 6, -10.0, 10.0)
    moved = replace(clip, shoulders=clip.shoulders + np.stack([apart, 0 * apart, 0 * apart], axis=1)[:, None])
    modes = PoseModes(moved).of_clip(moved)
    torch.testing.assert_close(modes[:, 7], torch.from_numpy(np.sign(apart)).float(), atol=0.1, rtol=0)
    assert PoseModes(clip).of_clip(clip)[:, 7:9].abs().max() == 0  # a body that follows the head tells nothing new


def test_a_pose_moves_the_texture_to_where_the_head_is_and_the_network_sees_it(shared: Path, tmp_path: Path) -> None:
    footage = small_footage(shared, frames=40)
    torch.manual_seed(0)
    model = build(footage)
    clip, still = footage.clip, footage.anchors(footage.still)
    modes = PoseModes(clip).of_clip(clip)
    anchors = torch.stack([footage.anchors(k) for k in range(40)])

    def away() -> float:
        return anchor_loss(model.source(model.painter.swayed(modes)), anchors, still).item()

    before = away()
    fit_movement(model, footage, 40, 120, np.random.default_rng(0), tmp_path / "movement.csv")
    assert away() < 0.5 * before
    rows = []
    for name in ("one", "two"):  # the second goes on where the first ended
        warm_up(model, footage, 60, 8, np.random.default_rng(0), tmp_path / f"{name}.csv")
        rows.append(np.genfromtxt(tmp_path / f"{name}.csv", delimiter=",", names=True)["movement_px"])
    assert rows[1][-10:].mean() < 0.7 * rows[0][:10].mean()


def test_straight_movement_does_not_bend() -> None:
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    even = torch.stack([1.1 * columns, rows + 3])[None]
    assert bend_loss(even) < 1e-4
    assert bend_loss(even + 0.01 * (even - 60) ** 2) > 1


def test_lids_are_known_only_where_an_eye_is_open_or_shut(shared: Path) -> None:
    footage = small_footage(shared, frames=60)
    gaps = footage.gaps
    assert gaps.shape == (60, 2)
    open_eyes, shut_eyes = int(gaps.mean(axis=1).argmax()), int(gaps.mean(axis=1).argmin())
    for frame, value in ((open_eyes, 0.0), (shut_eyes, 1.0)):
        wanted = footage.lids(frame)
        known = wanted[wanted >= 0]
        assert 0 < known.numel() < 0.1 * wanted.numel()
        assert (known == value).all()
    logits = torch.full((1, 1, 128, 128), 9.0)
    assert lids_loss(logits, footage.lids(shut_eyes)[None]) < 0.01
    assert lids_loss(-logits, footage.lids(shut_eyes)[None]) > 5
    assert lids_loss(logits, torch.full_like(logits, -1.0)) == 0
