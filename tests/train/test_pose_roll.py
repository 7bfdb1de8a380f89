"""Roll-outs of a head-pose network, and their mean brought to where the clip's is."""

import numpy as np
import torch

from lsp_cam.train.models.pose import PoseNet
from lsp_cam.train.pose_roll import SETTLING_FRAMES, Clip, centred, choose, roll_out, unlikeness


def test_a_head_that_holds_itself_to_one_side_is_brought_back() -> None:
    torch.manual_seed(0)
    state = PoseNet().eval().state_dict()
    state["WaveNet.end_conv_2.weight"] *= 0.3  # tame enough to settle somewhere
    state["WaveNet.end_conv_2.bias"][1:7] += 1.0
    state["WaveNet.end_conv_2.bias"][13:] = 2.0
    features = np.random.default_rng(0).normal(size=(SETTLING_FRAMES + 60, 1024)).astype(np.float32)
    wanted = np.array([3, -2, 1, 0, 5, 0], np.float32)
    before = roll_out(state, features, 0.3, seed=0)
    after = roll_out(centred(state, features, wanted, 0.3), features, 0.3, seed=0)
    assert before.shape == (len(features), 12)
    held = before[SETTLING_FRAMES:, :6].mean(axis=0)
    assert np.abs(held - wanted).max() > 1
    np.testing.assert_allclose(after[SETTLING_FRAMES:, :6].mean(axis=0), wanted, atol=0.1)
    # it moves as it did before, about another place
    moved = [poses[SETTLING_FRAMES:, :6] - poses[SETTLING_FRAMES:, :6].mean(axis=0) for poses in (before, after)]
    np.testing.assert_allclose(moved[0], moved[1], atol=0.05)


def test_the_head_that_moves_like_the_clip_is_chosen() -> None:
    torch.manual_seed(0)
    stiff = PoseNet().eval().state_dict()
    stiff["WaveNet.end_conv_2.weight"] *= 0.1
    stiff["WaveNet.end_conv_2.bias"][13:] = 9.0
    alive = {key: value.clone() for key, value in stiff.items()}
    alive["WaveNet.end_conv_2.bias"][13:] = -1.2
    rng = np.random.default_rng(0)
    features = rng.normal(size=(SETTLING_FRAMES + 90, 1024)).astype(np.float32)
    poses = rng.normal(2, 1, (300, 6)).astype(np.float32)
    chosen = choose([stiff, alive], Clip(poses, features, features))
    assert float(chosen["WaveNet.end_conv_2.bias"][20]) < 0
    assert unlikeness(roll_out(chosen, features, 0.3, 0)[SETTLING_FRAMES:, :6], poses) < 0.5
    short = Clip(poses, features[:100], features)
    assert choose([stiff, alive], short) is stiff
