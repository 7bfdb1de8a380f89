"""The mouth network (section 3.2): an LSTM from projected speech features to displacements of the mouth."""

from torch import Tensor, nn

from lsp_cam.train.models.recurrent import Lstm

FEATURES = 1024
DOWNSAMPLED = 512
HIDDEN = 256
LAYERS = 3
DELTAS = 75
SLOPE = 0.2

LstmState = tuple[Tensor, Tensor]


def downsampler() -> nn.Sequential:
    """Two rows of speech features (N, 1024) to the (N, 512) that both motion networks begin with."""
    return nn.Sequential(
        nn.Linear(FEATURES, DOWNSAMPLED),
        nn.BatchNorm1d(DOWNSAMPLED),
        nn.LeakyReLU(SLOPE),
        nn.Linear(DOWNSAMPLED, DOWNSAMPLED),
    )


class MouthNet(nn.Module):
    """Features (B, T, 1024) to displacements (B, T, 75), 25 points x xyz; row t + 18 is about frame t.

    State-dict keys are those of the published file (`downsample.0.weight`, `LSTM.weight_ih_l0`, `fc.0.weight` ...).
    """

    def __init__(self) -> None:
        super().__init__()
        self.downsample = downsampler()
        self.LSTM = Lstm(DOWNSAMPLED, HIDDEN, LAYERS, batch_first=True)
        self.fc = nn.Sequential(
            nn.Linear(HIDDEN, 512),
            nn.BatchNorm1d(512),
            nn.LeakyReLU(SLOPE),
            nn.Linear(512, 512),
            nn.BatchNorm1d(512),
            nn.LeakyReLU(SLOPE),
            nn.Linear(512, DELTAS),
        )

    def forward(self, features: Tensor, state: LstmState | None = None) -> tuple[Tensor, LstmState]:
        """Displacements (B, T, 75), and hidden and cell state, each (3, B, 256), after the last row."""
        batch, steps, _ = features.shape
        down = self.downsample(features.reshape(batch * steps, -1)).reshape(batch, steps, -1)
        hidden, after = self.LSTM(down, state)
        deltas: Tensor = self.fc(hidden.reshape(batch * steps, -1)).reshape(batch, steps, -1)
        return deltas, after
