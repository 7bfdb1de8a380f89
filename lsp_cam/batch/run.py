"""The course of a batch: every clip by itself, as many at a time as there are workers for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeVar

from ..devices.encode import Seal, settle
from ..devices.h264 import Segment, segment_pictures
from ..devices.wavfile import read_audio
from ..dub import CHUNK_SAMPLES, check_length, picture_count, pieces
from ..errors import DeviceError, LspCamError
from ..packets import SAMPLE_RATE_HZ, Float32, LandmarkFrame
from . import record, work
from .crew import Crew, LostWorker
from .listing import Clip

T = TypeVar("T")
MOST_LOSSES = 3
SPAN_SAMPLES = 30 * CHUNK_SAMPLES  # what is listened to in one go; a whole number of chunks


@dataclass(frozen=True, slots=True)
class News:
    """What became of a clip. `share` of it is done (0 to 1); `pictures`, `seconds`: its size; `why` it failed,
    or the error that nobody foresaw."""

    clip: Clip
    what: Literal["skipped", "begun", "advanced", "lost", "done", "failed"]
    share: float = 0.0
    pictures: int = 0
    seconds: float = 0.0
    why: str = ""
    unforeseen: Exception | None = None


Tell = Callable[[News], None]


class Batch:
    """A list of clips, a job and a crew. `seal` puts credentials on finished films."""

    def __init__(self, clips: Sequence[Clip], job: work.Job, crew: Crew, seal: Seal | None, tell: Tell) -> None:
        self._clips = clips
        self._job = job
        self._crew = crew
        self._seal = seal
        self._tell = tell
        self._at_work = asyncio.Semaphore(crew.workers)  # a cluster may have more than we were given
        self._writing = asyncio.Lock()  # one film after the other: the first seal makes the user's certificate

    async def run(self) -> list[Clip]:
        """Dub what is not done yet, in the order of the list; gives the clips that failed, of which `tell` said why."""
        at_once = asyncio.Semaphore(self._crew.workers + 1)  # one is read while the others are worked on

        async def in_turn(clip: Clip) -> bool:
            async with at_once:
                return await self._care_for(clip)

        went_well = await asyncio.gather(*map(in_turn, self._clips))
        return [clip for clip, well in zip(self._clips, went_well, strict=True) if not well]

    async def _care_for(self, clip: Clip) -> bool:
        try:
            key = await asyncio.to_thread(record.key_of, self._job, clip, self._seal is not None)
            if await asyncio.to_thread(record.is_done, clip, key):
                self._tell(News(clip, "skipped", 1.0))
                return True
            samples = await asyncio.to_thread(read_audio, clip.recording)
            check_length(samples, self._job.fps)
            pictures, seconds = picture_count(len(samples), self._job.fps), len(samples) / SAMPLE_RATE_HZ
            self._tell(News(clip, "begun", 0.0, pictures, seconds))
            film = await self._film(clip, samples, pictures)
            async with self._writing:
                await asyncio.to_thread(self._keep, clip, film, key)
        except (LspCamError, OSError) as error:
            self._tell(News(clip, "failed", why=str(error)))
            return False
        except Exception as error:  # whatever it is, it is this clip's: the others go on
            self._tell(News(clip, "failed", unforeseen=error))
            return False
        self._tell(News(clip, "done", 1.0, pictures, seconds))
        return True

    async def _film(self, clip: Clip, samples: Float32, pictures: int) -> bytes:
        """One task for a clip of one segment. Of a longer one, speech is heard span after span, and its segments are
        drawn meanwhile, beside one another."""
        suffix = clip.film.suffix
        size = segment_pictures(Fraction(self._job.fps))
        if pictures <= size:
            return await self._do(clip, work.film, self._job, samples, suffix)
        state, waiting = None, list[LandmarkFrame]()
        drawing: list[asyncio.Task[Segment]] = []
        try:
            for span, last in pieces(samples, SPAN_SAMPLES):
                heard, state = await self._do(clip, work.listen, self._job, span, state, len(samples), last)
                waiting += heard
                while len(waiting) >= size or (last and waiting):
                    drawing.append(asyncio.create_task(self._draw(clip, waiting[:size], pictures)))
                    waiting = waiting[size:]
            segments = await asyncio.gather(*drawing)
        finally:
            for task in drawing:
                task.cancel()
        return await self._do(clip, work.join, self._job, segments, samples, suffix)

    async def _draw(self, clip: Clip, landmarks: list[LandmarkFrame], pictures: int) -> Segment:
        segment = await self._do(clip, work.draw, self._job, landmarks)
        self._tell(News(clip, "advanced", len(landmarks) / pictures))
        return segment

    async def _do(self, clip: Clip, task: Callable[..., T], *args: Any) -> T:
        """Have it done, again if the worker is lost. DeviceError when that happens too often to be chance."""
        for _ in range(MOST_LOSSES):
            try:
                async with self._at_work:
                    return await asyncio.wrap_future(self._crew.submit(task, *args))
            except LostWorker:
                self._tell(News(clip, "lost"))
        raise DeviceError(
            f"{MOST_LOSSES} workers died of it one after the other. Is there enough memory for --workers "
            f"{self._crew.workers}? Try fewer."
        )

    def _keep(self, clip: Clip, film: bytes, key: str) -> None:
        """Write the film under its name, at once or not at all."""
        part = clip.film.with_name(f"{clip.film.name}.part")
        try:
            part.write_bytes(film)
            settle(part, clip.film, self._seal)
            record.note_done(clip, key)
        finally:
            part.unlink(missing_ok=True)
