"""The torch networks of mouth and head: the published keys, outputs and loss; dropout in training alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lsp_cam.train.models.mouth import MouthNet
from lsp_cam.train.models.pose import POSE, PoseNet, gaussian_nll


@pytest.mark.parametrize(("kind", "name"), [(MouthNet, "Audio2Feature"), (PoseNet, "Audio2Headpose")])
def test_keys_and_shapes_are_the_published_ones(kind: Any, name: str, case_a: Any) -> None:
    assert {key: list(value.shape) for key, value in kind().state_dict().items()} == case_a.state_dicts[name]


def test_the_loss_is_the_published_one(case: Any) -> None:
    target = torch.from_numpy(case.expected["nll_target"])
    raw = torch.from_numpy(case.expected["head_raw"][None, : target.shape[1]])
    assert float(gaussian_nll(raw, target)) == pytest.approx(float(case.expected["nll"]), abs=1e-5)


def test_the_loss_is_a_log_likelihood() -> None:
    torch.manual_seed(1)
    raw, target = torch.randn(2, 5, 25), torch.randn(2, 5, POSE)
    density = torch.distributions.Normal(raw[..., 1:13], torch.exp(-raw[..., 13:]))
    wanted = -density.log_prob(target).mean()
    torch.testing.assert_close(gaussian_nll(raw, target, smallest_sigma=None), wanted)


def test_a_sigma_at_its_bound_is_not_pushed_further() -> None:
    raw = torch.cat([torch.zeros(1, 1, 13), torch.full((1, 1, 12), 9.0)], -1).requires_grad_()
    gaussian_nll(raw, torch.zeros(1, 1, POSE)).backward()
    assert raw.grad is not None
    assert not raw.grad[..., 13:].any()
    loss = gaussian_nll(raw.detach(), torch.zeros(1, 1, POSE))
    assert float(loss) == pytest.approx(np.log(0.03) + 0.5 * np.log(2 * np.pi))


def test_the_history_is_dropped_in_training_alone() -> None:
    torch.manual_seed(1)
    net, inputs = PoseNet(), (torch.zeros(1, 4, 1024), torch.ones(1, 4, POSE))
    for module in net.audio_downsample.modules():
        module.eval()
    net.WaveNet.train()
    assert not torch.equal(net(*inputs), net(*inputs))
    net.eval()
    torch.testing.assert_close(net(*inputs), net(*inputs), rtol=0, atol=0)
