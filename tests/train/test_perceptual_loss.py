"""The perceptual loss: VGG19's features of a given file, and edges where there is none, said aloud."""

from pathlib import Path

import pytest
import torch

from lsp_cam.errors import ModelError, UsageError
from lsp_cam.train.perceptual_loss import Vgg19, edge_pyramid, perceptual_loss

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under the published names, with the deeper layers and the classifier that are not used."""
    torch.manual_seed(0)
    state = {**Vgg19().state_dict(), "features.34.bias": torch.zeros(512), "classifier.6.bias": torch.zeros(1000)}
    path = tmp_path_factory.mktemp("vgg") / "vgg19-00000000.pth"
    torch.save(state, path)
    return path


def test_features_are_tapped_behind_their_activations() -> None:
    torch.manual_seed(0)
    features = Vgg19()(torch.rand(1, 3, 32, 32))
    assert [tuple(f.shape[1:]) for f in features] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]
    assert all(f.min() >= 0 for f in features)


def test_a_given_file_is_used_and_gradients_reach_only_the_picture(weights: Path) -> None:
    said: list[str] = []
    loss = perceptual_loss(weights, CPU, said.append)
    truth = torch.rand(1, 3, 32, 32)
    ours = (truth + 0.1 * torch.rand_like(truth)).requires_grad_()
    assert loss(truth, truth).item() == 0
    value = loss(ours, truth)
    value.backward()
    assert value.item() > 0
    assert ours.grad is not None
    assert said == []


def test_pytorchs_cache_is_looked_into(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    said: list[str] = []
    assert perceptual_loss(None, CPU, said.append) is edge_pyramid
    assert "edges" in said[0]
    assert "--vgg" in said[0]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / weights.name).write_bytes(weights.read_bytes())
    assert perceptual_loss(None, CPU, said.append) is not edge_pyramid
    assert len(said) == 1


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Leave --vgg out"):
        perceptual_loss(tmp_path / "missing.pth", CPU, print)
    (tmp_path / "x.pth").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"x\.pth does not hold"):
        perceptual_loss(tmp_path / "x.pth", CPU, print)


def test_edges_judge_sharpness_not_level() -> None:
    torch.manual_seed(0)
    truth = torch.rand(1, 3, 64, 64)
    assert edge_pyramid(truth + 0.3, truth).item() < 1e-5
    assert edge_pyramid(torch.nn.functional.avg_pool2d(truth, 3, 1, 1), truth).item() > 0.1
