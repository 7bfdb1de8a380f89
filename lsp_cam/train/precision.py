"""Mixed precision on a graphics card, plain single precision elsewhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lsp_cam.train import ranks


class Precision:
    """bfloat16 where the card has it, else float16 with a scaled loss."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._mixed = device.type == "cuda"
        brain = self._mixed and torch.cuda.is_bf16_supported(including_emulation=False)
        self._dtype = torch.bfloat16 if brain else torch.float16
        self._scaler = torch.amp.GradScaler("cuda", enabled=self._mixed and not brain)

    def forward(self) -> torch.autocast:
        """Within it networks compute in half floats."""
        return torch.autocast(self._device.type, self._dtype, enabled=self._mixed)

    def descend(self, loss: Tensor, optimizer: Optimizer) -> None:
        """One step of an optimiser down the gradient of a loss, averaged over all ranks."""
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        ranks.average(parameter for group in optimizer.param_groups for parameter in group["params"])
        self._scaler.step(optimizer)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """The scaler's state."""
        return dict(self._scaler.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        """Back to `state`."""
        if state:
            self._scaler.load_state_dict(state)
