"""GRU and LSTM layers that learn about twice as fast on a processor as torch's own.

torch steps back through a sequence adding to the gradient of all weights in every row; here that gradient is one
product over all rows at the end. And products are in bfloat16 where the processor multiplies that in hardware; sums,
states and weights stay in single precision.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Gates = tuple[Tensor, ...]


def product_dtype() -> torch.dtype:
    """In what this processor multiplies fastest: bfloat16 where it has tiles for it, else float32."""
    return torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32


def _product(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """The product of two matrices in float32."""
    return (a.to(dtype) @ b.to(dtype)).float()


def _gru_cell(given: Tensor, kept: Tensor, before: Tensor) -> tuple[Tensor, Gates]:
    """State (B, H) after a row, and what the way back needs; given, kept (B, 3H): from input and state before."""
    reset, update = torch.sigmoid(given[:, : -before.shape[1]] + kept[:, : -before.shape[1]]).chunk(2, 1)
    fresh = kept[:, -before.shape[1] :]
    new = torch.tanh(torch.addcmul(given[:, -before.shape[1] :], reset, fresh))
    return torch.lerp(new, before, update), (reset, update, new, fresh)


def _gru_cell_back(grad: Tensor, gates: Gates, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `given`, of `kept`, and what of the state's own goes straight to the state before."""
    reset, update, new, fresh = gates
    d_new = grad * (1 - update) * (1 - new * new)
    d_update = grad * (before - new) * update * (1 - update)
    d_reset = d_new * fresh * reset * (1 - reset)
    return (
        torch.cat([d_reset, d_update, d_new], 1),
        torch.cat([d_reset, d_update, d_new * reset], 1),
        grad * update,
    )


class _GruLayer(torch.autograd.Function):
    """Rows (T, B, I) and a state (B, H) to states (T, B, H)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h: Tensor, w: Tensor, r: Tensor, w_bias: Tensor, r_bias: Tensor, dtype: torch.dtype
    ) -> Tensor:
        given = _product(x.flatten(0, 1), w.t(), dtype).add_(w_bias).view(*x.shape[:2], -1)
        turned, states, saved = r.to(dtype).t(), [h], []
        for row in given:
            h, gates = _gru_cell(row, _product(h, turned, dtype).add_(r_bias), h)
            states.append(h)
            saved.append(gates)
        ctx.dtype = dtype
        ctx.save_for_backward(x, torch.stack(states), w, r, *map(torch.stack, zip(*saved, strict=True)))
        return torch.stack(states[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, states, w, r, *gates = ctx.saved_tensors
        dtype, straight = ctx.dtype, torch.zeros_like(states[0])
        multiplied, given, kept = r.to(dtype), [], []
        for t in reversed(range(len(x))):
            d_given, d_kept, straight = _gru_cell_back(grad_y[t] + straight, tuple(g[t] for g in gates), states[t])
            straight = straight.add_(_product(d_kept, multiplied, dtype))
            given.append(d_given)
            kept.append(d_kept)
        return (*_layer_back(x, states[:-1], w, given, kept, straight, dtype), None)


def _layer_back(
    x: Tensor, before: Tensor, w: Tensor, given: list[Tensor], kept: list[Tensor], d_state: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of a layer's rows, first state, weights and biases, from those of its gates, the last row's first."""
    d_given, d_kept = (torch.stack(rows[::-1]).flatten(0, 1) for rows in (given, kept))
    rows = x.flatten(0, 1)
    return (
        _product(d_given, w, dtype).view(*x.shape[:2], -1),
        d_state,
        _product(d_given.t(), rows, dtype),
        _product(d_kept.t(), before.flatten(0, 1), dtype),
        d_given.sum(0),
        d_kept.sum(0),
    )


class _LstmLayer(torch.autograd.Function):
    """Rows (T, B, I), a state and a cell (B, H) to states and cells, both (T, B, H)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h: Tensor,
        c: Tensor,
        w: Tensor,
        r: Tensor,
        w_bias: Tensor,
        r_bias: Tensor,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        given = _product(x.flatten(0, 1), w.t(), dtype).add_(w_bias + r_bias).view(*x.shape[:2], -1)
        turned, states, cells, saved = r.to(dtype).t(), [h], [c], []
        for row in given:
            let, keep, new, show = (row + _product(h, turned, dtype)).chunk(4, 1)
            let, keep, new, show = let.sigmoid(), keep.sigmoid(), new.tanh(), show.sigmoid()
            c = torch.addcmul(keep * c, let, new)
            h = show * c.tanh()
            states.append(h)
            cells.append(c)
            saved.append((let, keep, new, show))
        ctx.dtype = dtype
        all_cells = torch.stack(cells)
        ctx.save_for_backward(x, torch.stack(states), all_cells, w, r, *map(torch.stack, zip(*saved, strict=True)))
        return torch.stack(states[1:]), all_cells[1:].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_c: Tensor) -> tuple[Tensor | None, ...]:
        x, states, cells, w, r, *gates = ctx.saved_tensors
        dtype, d_h, d_c = ctx.dtype, torch.zeros_like(states[0]), torch.zeros_like(states[0])
        multiplied, given = r.to(dtype), []
        for t in reversed(range(len(x))):
            let, keep, new, show = (g[t] for g in gates)
            d_h, shown = grad_y[t] + d_h, cells[t + 1].tanh()
            d_c = d_c + grad_c[t] + d_h * show * (1 - shown * shown)
            d_gates = (
                d_c * new * let * (1 - let),
                d_c * cells[t] * keep * (1 - keep),
                d_c * let * (1 - new * new),
                d_h * shown * show * (1 - show),
            )
            given.append(torch.cat(d_gates, 1))
            d_h, d_c = _product(given[-1], multiplied, dtype), d_c * keep
        d_x, d_h, d_w, d_r, d_bias, _ = _layer_back(x, states[:-1], w, given, given, d_h, dtype)
        return d_x, d_h, d_c, d_w, d_r, d_bias, d_bias, None


def _ours(layer: nn.RNNBase, x: Tensor) -> bool:
    """Whether the layer is to learn on a processor; all else torch does as well or better."""
    return layer.training and torch.is_grad_enabled() and x.device.type == "cpu"


class Gru(nn.GRU):
    """`nn.GRU` of one layer, `batch_first`: rows (B, T, I) and a state (1, B, H) to states (B, T, H) and the last."""

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """As torch's."""
        if not _ours(self, x):
            out: tuple[Tensor, Tensor] = super().forward(x, state)
            return out
        first = x.new_zeros(len(x), self.hidden_size) if state is None else state[0]
        given = (x.transpose(0, 1), first, *self.all_weights[0], product_dtype())
        y: Tensor = _GruLayer.apply(*given)  # type: ignore[no-untyped-call]
        return y.transpose(0, 1), y[-1:]


class Lstm(nn.LSTM):
    """`nn.LSTM`, `batch_first`: rows (B, T, I), states and cells (L, B, H) to states (B, T, H), the last, its cells."""

    def forward(  # type: ignore[override]
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As torch's."""
        if not _ours(self, x):
            out: tuple[Tensor, tuple[Tensor, Tensor]] = super().forward(x, state)
            return out
        empty = x.new_zeros(self.num_layers, len(x), self.hidden_size)
        rows, states, cells = x.transpose(0, 1), [], []
        for h, c, weights in zip(*(state or (empty, empty)), self.all_weights, strict=True):
            given = (rows, h, c, *weights, product_dtype())
            rows, cell = _LstmLayer.apply(*given)  # type: ignore[no-untyped-call]
            states.append(rows[-1])
            cells.append(cell[-1])
        return rows.transpose(0, 1), (torch.stack(states), torch.stack(cells))
