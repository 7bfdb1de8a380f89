"""The speech encoder (APC): three one-layer GRUs that learn to foresee the next mel rows (section 3.1)."""

from torch import Tensor, nn

from lsp_cam.train.models.recurrent import Gru

MEL_BANDS = 80
HIDDEN = 512
LAYERS = 3


class SpeechEncoder(nn.Module):
    """Mel rows (B, T, 80) to speech features (B, T, 512), the output of the last layer.

    State-dict keys are those of the published file (`rnns.0.weight_ih_l0` ...).
    """

    def __init__(self) -> None:
        super().__init__()
        self.rnns = nn.ModuleList(
            Gru(MEL_BANDS if layer == 0 else HIDDEN, HIDDEN, batch_first=True) for layer in range(LAYERS)
        )

    def forward(self, mel: Tensor, state: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Features (B, T, 512) and the three hidden states (1, B, 512) after the last row."""
        features, after = mel, []
        for layer, rnn in enumerate(self.rnns):
            features, hidden = rnn(features, None if state is None else state[layer])
            after.append(hidden)
        return features, after


class SpeechForesight(nn.Module):
    """The encoder with the head that pre-training needs: features to the mel row `SHIFT` rows ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SpeechEncoder()
        self.head = nn.Linear(HIDDEN, MEL_BANDS)

    def forward(self, mel: Tensor) -> Tensor:
        """Foreseen rows (B, T, 80) of mel rows (B, T, 80)."""
        foreseen: Tensor = self.head(self.encoder(mel)[0])
        return foreseen
