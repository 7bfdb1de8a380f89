"""`train`: what is trained apart from subjects."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import Commands, print_line, text

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from ..train.speech_fit import Config, Progress


class Speakers(StrEnum):
    """What tells speakers apart."""

    FILE = "file"
    FOLDER = "folder"


def register(app: typer.Typer) -> None:
    """Hang the group on `app`."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, help="Train what all subjects share.")
    group.callback()(lambda: None)  # keeps `speech` a command of its own while it is the only one
    group.command()(speech)
    app.add_typer(group, name="train")


def speech(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Recordings of speech, in any language.")],
    out: Annotated[Path, typer.Option(help="Checkpoints, curves and the encoder go here.")] = Path("runs/speech"),
    steps: Annotated[int, typer.Option(min=1, help="How long to train.")] = 3000,
    speakers: Annotated[Speakers, typer.Option(help="Whether each file is a speaker or each folder.")] = Speakers.FILE,
    threads: Annotated[int, typer.Option(min=1, help="Cores to use.")] = 2,
    seed: Annotated[int, typer.Option(help="Chance.")] = 1,
) -> None:
    """Pre-train the speech encoder on speech without any labels.

    It learns to foresee the sound three rows (25 ms) ahead. One speaker in ten is held out, and the weights that
    foresee those best are kept, in OUT/speech_encoder.npz. Run the same command again and it goes on where it was.
    Needs the train extra. On several cards: torchrun --nproc-per-node 4 --no-python lsp-cam train speech ...
    """
    from importlib.util import find_spec

    from ..errors import MissingExtra
    from ..folders import install_command

    if find_spec("torch") is None:
        raise MissingExtra(f"Training needs torch, which is not installed. Run: {install_command('train')}")
    from ..train.prepare.work import room_on_disk
    from ..train.ranks import is_first, together
    from ..train.speech_fit import Config, fit

    config = Config(
        tuple(folders), out / "cache", out, steps, seed=seed, threads=threads, by_folder=speakers is Speakers.FOLDER
    )
    with together(), room_on_disk(out, "the same command again"):
        if is_first():
            _same_folders(out, folders)
            _tell_corpus(config)
            _train(config)
        else:
            fit(config)


def _same_folders(out: Path, folders: list[Path]) -> None:
    """UsageError if `out` was begun with other recordings; notes them down otherwise."""
    from ..errors import UsageError
    from ..train.corpus import recordings

    asked = "\n".join(sorted(str(folder.resolve()) for folder in folders)) + "\n"
    note = out / "folders.txt"
    if note.exists() and note.read_text() != asked:
        raise UsageError(f"{out} was begun with other folders. Give another --out, or delete it to begin anew.")
    recordings(folders)
    out.mkdir(parents=True, exist_ok=True)
    note.write_text(asked)


def _tell_corpus(config: Config) -> None:
    from ..train.corpus import load_corpus
    from ..train.speech_fit import speakers_apart

    corpus = load_corpus(list(config.folders), config.cache)
    train, held_out = speakers_apart(corpus, config.by_folder)
    for name, why in corpus.skipped.items():
        print_line(f"left out: {name} {why}", "yellow")
    print_line(f"{corpus.hours:.1f} h of speech; {len(train)} recordings to train on, {len(held_out)} held out.")


def _train(config: Config) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..train.speech_fit import fit

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as bar:
        task = bar.add_task("training", total=config.steps)
        path = fit(config, lambda now: _advance(bar, task, now))
    print_line(f"The encoder is in {path}.")


def _advance(bar: Bar, task: TaskID, now: Progress) -> None:
    """Move the bar, and print a line for each validation."""
    if bar.tasks[0].completed == 0:
        bar.reset(task, completed=now.step - 1)  # the time left is that of the steps of this run
    bar.update(task, completed=now.step, description=f"loss {now.loss:.4f}")
    if now.held_out:
        seen, last = now.held_out.model, now.held_out.repeat_last
        bar.console.print(text(f"step {now.step}: held-out speakers {seen:.4f} (repeating the last row: {last:.4f})"))
