"""Checkpoints are whole or not there."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from lsp_cam.errors import DeviceError
from lsp_cam.train import checkpoint
from lsp_cam.train.prepare.work import room_on_disk


def test_a_disk_that_fills_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.pt"
    checkpoint.write_weights(file, {"w": torch.ones(3)})
    write = Path.write_bytes

    def full(path: Path, data: memoryview) -> int:
        write(path, bytes(data[:10]))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DeviceError, match="is full"), room_on_disk(tmp_path):
        checkpoint.write_weights(file, {"w": torch.zeros(3)})
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pt"]
    assert torch.equal(torch.load(file, weights_only=True)["model"]["w"], torch.ones(3))
