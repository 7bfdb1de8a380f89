"""Fine-tuning of the pre-trained speech encoder together with a mouth, on speech whose mouth movement is known.

Foreseeing sound (section 4.2.1) teaches an encoder speech, but not which of its differences can be seen. Here it goes
on foreseeing, and a mouth network learns on top of it, whose error reaches the encoder as well; four linear heads ask
its features straight for the mouth of now and of up to `look_ahead` frames ago, so that rows that lie near each other
in the feature base (section 3.1.1) mean mouths that look alike.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lsp_cam.train import checkpoint, mouth_fit, ranks
from lsp_cam.train.lanes import Lanes, Spoken, Window
from lsp_cam.train.models.mouth import DELTAS, FEATURES, MouthNet
from lsp_cam.train.models.speech import SpeechForesight

AGO_FRAMES = (0, 6, 12, 18)


@dataclass(frozen=True)
class Config:
    """How to train. An episode is begun with empty states and fresh streams, so that it can be resumed at its start."""

    out: Path
    steps: int = 2000
    lanes: int = 32
    unlabelled: int = 2
    frames: int = 60
    rate: float = 1.5e-3
    last_rate: float = 5e-5
    gap: float = 0.3
    shut: float = 2.0
    heads: float = 0.4
    foresight: float = 10.0
    shift: int = 3
    seed: int = 1
    threads: int = 2
    warmup: int = 60
    episode: int = 50


class Listener(nn.Module):
    """The encoder with its head that foresees, the mouth, and the linear heads."""

    def __init__(self) -> None:
        super().__init__()
        self.speech = SpeechForesight()
        self.mouth = MouthNet()
        self.heads = nn.ModuleList(nn.Linear(FEATURES, DELTAS) for _ in AGO_FRAMES)


@dataclass
class States:
    """Hidden states of the encoder (three of (1, B, 512)) and of the mouth (two of (3, L, 256)); None when empty."""

    speech: list[Tensor] | None = None
    mouth: tuple[Tensor, Tensor] | None = None


def losses(model: Listener, window: Window, states: States, config: Config) -> dict[str, Tensor]:
    """The parts of the loss over a window: mouth (mm), heads (mm), foresight (L1); `states` move on to its end."""
    mel, truth = torch.from_numpy(window.mel), torch.from_numpy(window.truth)
    rows, labelled = 2 * config.frames, len(truth)
    features, speech_after = model.speech.encoder(mel[:, :rows], states.speech)
    foreseen = model.speech.head(features)
    heard = features[:labelled].reshape(labelled, config.frames, FEATURES)
    shown, mouth_after = model.mouth(heard, states.mouth)
    states.speech, states.mouth = [h.detach() for h in speech_after], (mouth_after[0].detach(), mouth_after[1].detach())
    starts = [mouth_fit.LOOK_AHEAD - ago for ago in AGO_FRAMES]
    straight = [
        mouth_fit.loss_of(head(heard), truth[:, start : start + config.frames], 0.0)
        for head, start in zip(model.heads, starts, strict=True)
    ]
    return {
        "mouth": mouth_fit.loss_of(shown, truth[:, : config.frames], config.gap, shut=config.shut),
        "heads": torch.stack(straight).mean(),
        "foresight": (foreseen - mel[:, config.shift : rows + config.shift]).abs().mean(),
    }


def fit(known: list[Spoken], unknown: list[Spoken], start: SpeechForesight, config: Config) -> Path:
    """Train, resuming at the last finished episode if there is one; returns the checkpoint's path.

    known: speech with truth; unknown: speech without; start: the pre-trained encoder and its head. Of several ranks
    each hears streams of its own, and the first writes.
    """
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    model, path = Listener(), config.out / "listener.pt"
    model.speech.load_state_dict(start.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), config.rate, betas=(0.9, 0.98))
    # No chance is drawn but by the lanes, which are seeded anew in each episode.
    done = checkpoint.resume(path, model, optimizer, None, by_all=True)
    for first in range(done, config.steps, config.episode):
        seed = [config.seed, first] if ranks.is_first() else [config.seed, first, ranks.number()]
        lanes = Lanes(known, unknown, config.lanes, config.unlabelled, mouth_fit.LOOK_AHEAD, seed)
        states, last = States(), min(first + config.episode, config.steps)
        for step in range(first, last):
            checkpoint.set_rate(
                optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate, config.warmup)
            )
            parts = losses(model, lanes.window(config.frames, config.shift), states, config)
            total = parts["mouth"] + config.heads * parts["heads"] + config.foresight * parts["foresight"]
            optimizer.zero_grad()
            torch.autograd.backward(total)
            ranks.average(model.parameters())
            torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
            if ranks.is_first():
                told = {name: part.item() for name, part in parts.items()}
                checkpoint.log_row(config.out / "listener.csv", step=step + 1, **told)
        checkpoint.save(path, last, model, optimizer, None, by_all=True)
    return path
