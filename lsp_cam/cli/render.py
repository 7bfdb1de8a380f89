"""`render` and `trace`: a recording in, a video or every intermediate array out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..trust import WAIVER
from .console import print_line

if TYPE_CHECKING:
    from ..packets import Float32
    from ..pipeline import PipelineConfig
    from ..subject import Subject
    from .batch import How

Audio = Annotated[Path, typer.Argument(metavar="AUDIO", help="A recording of speech, in any format.")]
SubjectName = Annotated[str | None, typer.Option("--subject", "-s", help="Who speaks it.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same head motion.")]
SmoothingOption = Annotated[
    str, typer.Option("--smoothing", help="live or published (clip-wide, as the paper's code).")
]
Sigma = Annotated[
    float | None, typer.Option("--sigma", min=0.0, max=4.0, help="Scale of the head's random motion; 0: none.")
]
EngineName = Annotated[str, typer.Option("--engine", help="auto, or one of `lsp-cam engine list`.")]
Right = Annotated[bool, typer.Option(WAIVER, help="Show somebody whose consent the bundle lacks: you answer.")]
Threads = Annotated[int | None, typer.Option("--threads", help="Threads of the renderer.")]


def factor(name: str, what: str) -> Any:
    """An option of the subject's manner: a factor, of which 1 is as the bundle has it."""
    return typer.Option(f"--{name}", min=0.0, max=3.0, help=f"{what}; 1 is as it was made.")


Liveliness = Annotated[float | None, factor("liveliness", "Factor on the head's random motion")]
Mouth = Annotated[float | None, factor("mouth", "Factor on how far the mouth opens")]
Shoulders = Annotated[float | None, factor("shoulders", "Factor on how far shoulders follow the head")]
Blinks = Annotated[float | None, factor("blinks", "Factor on how often the eyes blink")]


def register(app: typer.Typer) -> None:
    """Hang the commands on `app`."""
    app.command()(render)
    app.command()(trace)


def render(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT.mp4", help="The video to write; of a batch, the folder for them."),
    ],
    audio: Annotated[
        Path | None, typer.Argument(metavar="[AUDIO]", help="A recording of speech, in any format.")
    ] = None,
    batch: Annotated[
        Path | None, typer.Option("--batch", metavar="LIST", help="Dub all recordings of a list, a path on each line.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Of a batch: a Ray cluster; local: here; none: without Ray."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Of a batch: how many clips at once; else one a core.")
    ] = None,
    subject: SubjectName = None,
    fps: Annotated[int, typer.Option("--fps", help="Pictures per second, 1 to 60.")] = 30,
    seed: Seed = 0,
    sigma: Sigma = None,
    smoothing: SmoothingOption = "live",
    pose_track: Annotated[
        Path | None,
        typer.Option("--pose-track", help="Head motion to use: .npy, .npz or .csv of yaw,pitch,roll,x,y,z."),
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Mirror the head's motion.")] = False,
    liveliness: Liveliness = None,
    mouth: Mouth = None,
    shoulders: Shoulders = None,
    blinks: Blinks = None,
    engine: EngineName = "auto",
    threads: Threads = None,
    badge: Annotated[bool, typer.Option("--badge", help="Words in the picture: it is made.")] = False,
    credentials: Annotated[
        bool, typer.Option("--credentials/--no-credentials", help="Sign into the file what made it (C2PA).")
    ] = True,
    plain_progress: Annotated[
        bool, typer.Option("--plain-progress", help="A line each second, for other programs.")
    ] = False,
    right: Right = False,
) -> None:
    """Render a recording, or a list of them, as videos of the subject speaking."""
    from ..devices.wavfile import read_audio
    from ..dub import check_fps
    from ..errors import UsageError
    from ..packets import Manner
    from ..stages.steer import Steering, read_track
    from ..trust.permission import badge_of
    from .batch import How, render_batch

    check_fps(fps)
    if (audio is None) == (batch is None):
        raise UsageError("Give one recording, or --batch and a list of them.")
    if batch is None and (cluster is not None or workers is not None):
        raise UsageError("--cluster and --workers are for a --batch.")
    config = _config(smoothing, seed, sigma)
    track = read_track(pose_track) if pose_track is not None else None
    steering = Steering(mode="track" if track is not None else "auto", track=track, mirror=mirror)
    factors = {"liveliness": liveliness, "mouth": mouth, "shoulders": shoulders, "blinks": blinks}
    manner = Manner(**{name: value for name, value in factors.items() if value is not None})
    chosen = _subject(subject, right)
    how = How(
        chosen, config, fps, steering, manner, badge_of(chosen, badge), engine, threads, credentials, plain_progress
    )
    if batch is not None:
        render_batch(batch, output, how, cluster, workers)
    elif audio is not None:
        _render_one(read_audio(audio), output, how)


def _render_one(samples: Float32, output: Path, how: How) -> None:
    from ..backends.choose import open_engine
    from ..devices.videofile import VideoFileSink
    from ..dub import dub, picture_count
    from ..pipeline import Pipeline
    from ..trust.credentials import Seal
    from ..trust.limits import limit_memory
    from ..trust.marks import Marker

    limit_memory()
    marker, pictures = Marker(), picture_count(len(samples), how.fps)
    with VideoFileSink(output, speech=samples, seal=Seal(how.subject) if how.credentials else None) as video:
        pipeline = Pipeline(how.subject, open_engine(how.engine, how.threads), how.config)
        video.open(pipeline.size, pipeline.size, how.fps)
        progress = _plain_progress if how.plain_progress else _progress
        for frame in progress(dub(pipeline, samples, how.fps, how.steering, how.manner), pictures):
            video.send(marker.mark(frame.pixels, how.words))
    print_line(f"{output}: {pictures} pictures at {how.fps} fps, {len(samples) / 16000:.1f} s")
    if how.credentials and not video.is_sealed:
        print_line("Without content credentials: only .mp4 and .mov files hold them, and a copy needs room.", "yellow")


def trace(
    audio: Audio,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="TRACE.npz", help="The arrays to write.")],
    subject: SubjectName = None,
    smoothing: SmoothingOption = "live",
    sigma: Sigma = None,
    seed: Seed = 0,
    candidates: Annotated[
        Path | None, typer.Option("--candidates", help="A .npy (1, 12, H, W) in -1..1 in place of the pictures.")
    ] = None,
    engine: EngineName = "auto",
    threads: Threads = None,
    right: Right = False,
) -> None:
    """Write every intermediate array of the chain for a recording."""
    from ..backends.choose import open_engine
    from ..devices.wavfile import read_audio
    from ..trace import read_candidates, write_trace
    from ..trace import trace as run
    from ..trust.limits import limit_memory

    config = _config(smoothing, seed, sigma)
    chosen = _subject(subject, right)
    limit_memory()
    pictures = read_candidates(candidates) if candidates is not None else None
    arrays = run(read_audio(audio), chosen, open_engine(engine, threads), config, pictures)
    write_trace(output, arrays)
    print_line(f"{output}: {len(arrays)} arrays, {len(arrays['landmarks'])} frames")


def _subject(name: str | None, waived: bool) -> Subject:
    """The subject, if it may be rendered."""
    from ..store import Store
    from ..trust.permission import permit

    store = Store()
    subject = store.get(name) if name else store.default()
    print_line(permit(subject, "render", waived=waived))
    return subject


def _config(smoothing: str, seed: int, sigma: float | None) -> PipelineConfig:
    from ..errors import UsageError
    from ..pipeline import PipelineConfig

    if smoothing not in ("live", "published"):
        raise UsageError(f"--smoothing {smoothing}: choose live or published.")
    return PipelineConfig("live" if smoothing == "live" else "published", seed, sigma)


def _progress(frames: Any, total: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield from progress.track(frames, total=total)


def _plain_progress(frames: Any, total: int) -> Any:
    import time

    began = said = time.monotonic()
    for count, frame in enumerate(frames, 1):
        yield frame
        now = time.monotonic()
        if now - said >= 1.0:
            said = now
            print_line(f"Rendering: {count / total:.0%}, {(now - began) * (total - count) / count:.0f} s left")
