"""Layers that learn on a processor: torch's own numbers and gradients, from any state, in either precision."""

import pytest
import torch
from torch import Tensor, nn

from lsp_cam.train.models import recurrent
from lsp_cam.train.models.recurrent import Gru, Lstm

ROWS, BATCH, WIDTH, SIZE = 7, 3, 5, 4


def gradients(layer: nn.RNNBase, x: Tensor, state: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Outputs, states after, and the gradients of all that goes in, of a loss that all of them bear upon."""
    x, state = x.clone().requires_grad_(), tuple(s.clone().requires_grad_() for s in state)
    y, after = layer(x, state if len(state) > 1 else state[0])
    ends = after if isinstance(after, tuple) else (after,)
    weigh = torch.linspace(-1, 2, y.numel()).reshape(y.shape)
    loss = (weigh * y).sum() + sum((k + 2) * end.square().sum() for k, end in enumerate(ends))
    layer.zero_grad()
    loss.backward()
    given = {"x": x.grad, **{f"state{k}": s.grad for k, s in enumerate(state)}}
    own = {name: p.grad for name, p in layer.named_parameters()}
    ends_named = {f"end{k}": end.detach() for k, end in enumerate(ends)}
    return {"y": y.detach(), **ends_named, **given, **own}  # type: ignore[dict-item]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize(("ours", "theirs", "layers"), [(Gru, nn.GRU, 1), (Lstm, nn.LSTM, 3)])
def test_values_and_gradients_are_torchs(
    ours: type[nn.RNNBase],
    theirs: type[nn.RNNBase],
    layers: int,
    dtype: torch.dtype,
    tolerance: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recurrent, "product_dtype", lambda: dtype)
    torch.manual_seed(0)
    reference = theirs(WIDTH, SIZE, layers, batch_first=True)
    layer = ours(WIDTH, SIZE, layers, batch_first=True)
    layer.load_state_dict(reference.state_dict())
    x, states = torch.randn(BATCH, ROWS, WIDTH), [torch.randn(layers, BATCH, SIZE) for _ in range(2)]
    state = tuple(states[:1] if ours is Gru else states)
    wanted, seen = gradients(reference, x, state), gradients(layer, x, state)
    assert wanted.keys() == seen.keys()
    for name, value in wanted.items():
        away = (seen[name] - value).abs().max() / value.abs().max()
        assert away < tolerance, name
        assert dtype == torch.float32 or away > 0 or name.startswith("end"), name


@pytest.mark.parametrize("kind", [Gru, Lstm])
def test_a_sequence_in_parts_gives_what_it_gives_whole(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    layer, x = kind(WIDTH, SIZE, batch_first=True), torch.randn(BATCH, ROWS, WIDTH)
    first, after = layer(x[:, :3])
    second, _ = layer(x[:, 3:], after)
    torch.testing.assert_close(torch.cat([first, second], 1), layer(x)[0], rtol=0, atol=1e-3)


def test_what_does_not_learn_is_left_to_torch() -> None:
    layer, x = Gru(WIDTH, SIZE, batch_first=True), torch.randn(BATCH, ROWS, WIDTH)
    reference = nn.GRU(WIDTH, SIZE, batch_first=True)
    reference.load_state_dict(layer.state_dict())
    with torch.no_grad():
        assert torch.equal(layer(x)[0], reference(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], reference(x)[0])
