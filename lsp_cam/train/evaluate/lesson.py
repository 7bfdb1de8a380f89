"""Training footage for the small trainings: the work folder of a subject's creation, or the synthetic footage's."""

from __future__ import annotations

from pathlib import Path

from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32
from lsp_cam.train.evaluate.footage import TRUTH, part_of, read_truth
from lsp_cam.train.evaluate.run import Lesson
from lsp_cam.train.prepare.timeline import TIMELINE, Timeline
from lsp_cam.train.tracked import Tracked

TRACKED, SOUND = "tracked.npz", "audio.wav"
LEAST_S = 20.0


def read_lesson(folder: Path, held_out: Path, start_s: float) -> Lesson:
    """Sound and tracked clip of `folder`; of the folder that the held-out video lies in, only what is before it, and of
    one whose pictures were not all tracked the longest run of those that were."""
    tracked = next((folder / name for name in (TRACKED, TRUTH) if (folder / name).is_file()), None)
    if tracked is None or not (folder / SOUND).is_file():
        raise UsageError(f"{folder} holds no training footage ({SOUND} with {TRACKED} or {TRUTH}).")
    clip, samples = _longest_run(folder, read_truth(tracked), read_audio(folder / SOUND))
    frames = len(clip.points)
    if folder.resolve() == held_out.resolve().parent:
        frames = min(frames, int(start_s * clip.fps))
    if frames < LEAST_S * clip.fps:
        raise UsageError(f"{folder} leaves less than {LEAST_S:g} s to train on before --start. Measure a later part.")
    return Lesson(samples[: int(frames / clip.fps * SAMPLE_RATE_HZ)], part_of(clip, 0, frames))


def _longest_run(folder: Path, clip: Tracked, samples: Float32) -> tuple[Tracked, Float32]:
    """What was tracked without a gap, with its sound: a clip that pictures are missing from is not in time with it."""
    if not (folder / TIMELINE).is_file():
        return clip, samples
    timeline = Timeline.load(folder / TIMELINE)
    first, last = max(timeline.segments, key=lambda segment: segment.last - segment.first)
    begin = round(int(timeline.numbers[first]) / clip.fps * SAMPLE_RATE_HZ)
    return part_of(clip, first, last), samples[begin:]
