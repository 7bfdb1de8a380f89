"""The stages from the videos to the tracked clip. Each reads what those before it left in the work folder."""

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import UsageError
from lsp_cam.train.candidates import candidate_frames
from lsp_cam.train.corpus import decode
from lsp_cam.train.job import Job
from lsp_cam.train.prepare import crop, cuts, face, inspect, landmarks, shoulders, source, spoilt
from lsp_cam.train.prepare.camera import find_camera
from lsp_cam.train.prepare.crop import Square
from lsp_cam.train.prepare.rigid import Lens
from lsp_cam.train.prepare.shape import mean_shape
from lsp_cam.train.prepare.speech import lag_of
from lsp_cam.train.prepare.timeline import TIMELINE, Timeline
from lsp_cam.train.prepare.vertices import points_of
from lsp_cam.train.prepare.work import Facts, write_arrays
from lsp_cam.train.tracked import Tracked, load_tracked, rotation_of, save_tracked

Tell = Callable[[float], None]
LATE_S, CLEARLY = 0.1, 0.3
MOST_SHAPES = 600
COPIED = 64  # frames at a time


def inspect_stage(job: Job, tell: Tell) -> Facts:
    """Whether it can be done, and with which square of the picture."""
    videos = _videos(job)
    findings, faces = inspect.inspect(videos, job.effort.limits, tell)
    for warning in findings.warnings:
        job.say(f"note: {warning}")
    square = crop.choose_square(faces, findings.width, findings.height, job.request.size)
    if square.side < job.request.size / 2:
        job.say(f"note: the square around the face is {square.side} px wide; --size 256 would lose nothing.")
    centre = square.centre_of(findings.width, findings.height)
    return {**findings.facts(), "square": [square.left, square.top, square.side, square.size], "centre": list(centre)}


def crop_stage(job: Job, tell: Tell) -> Facts:
    """`frames.rgb` and `audio.wav`."""
    facts, videos = job.work.facts("inspect"), _videos(job)
    square, fps = Square(*facts["square"]), facts["fps"]
    crop.check_room(job.work.path("frames.rgb"), sum(video.frames(fps) for video in videos), square.size)
    counts = crop.cut_all(videos, square, fps, job.work.path("frames.rgb"), tell)
    crop.write_sound(videos, counts, fps, job.work.path("audio.wav"))
    return {"counts": counts}


def landmarks_stage(job: Job, tell: Tell) -> Facts:
    """`landmarks.npz`: vertices of the good frames, and which these are."""
    facts, fps = job.work.facts("crop"), job.work.facts("inspect")["fps"]
    frames, folder = job.work.frames(job.request.size), job.work.path("looks")
    seen = landmarks.first_look(frames, folder, lambda share: tell(0.3 * share))
    change = cuts.changes(frames)
    found = sorted({*cuts.find_cuts(change), *np.cumsum(facts["counts"])[:-1].tolist()})
    good = ~spoilt.find_spoilt(spoilt.face_patches(frames, seen))
    shortest = max(5, round(job.effort.shortest_segment_s * fps))
    segments = cuts.segments_of(good, found, shortest)
    _check_enough(job, sum(last - first for first, last in segments) / fps)
    windows = landmarks.windows_of(seen, segments)
    looked = landmarks.second_look(frames, windows, folder, lambda share: tell(0.3 + 0.7 * share))
    segments = cuts.segments_of(good & np.isfinite(looked[:, 0, 0]), found, shortest)
    _check_enough(job, sum(last - first for first, last in segments) / fps)
    numbers, laid = face.joined(segments)
    write_arrays(job.work.path("landmarks.npz"), vertices=landmarks.steady(looked, segments)[numbers])
    Timeline(numbers, laid).save(job.work.path(TIMELINE))
    dropped = len(frames) - len(numbers)
    if dropped:
        job.say(f"note: {dropped} of {len(frames)} pictures are left out: no face, or something before it.")
    return {"cuts": found, "dropped": dropped, "frames": len(numbers)}


def track_stage(job: Job, tell: Tell) -> Facts:
    """`face.npz`: camera, head poses and points."""
    facts, timeline = job.work.facts("inspect"), _timeline(job)
    vertices, fps = _vertices(job), facts["fps"]
    shape = mean_shape(vertices[:: max(1, len(vertices) // MOST_SHAPES)])
    tell(0.05)
    camera = find_camera(vertices[..., :2], shape, np.array(facts["centre"]))
    tell(0.8)
    lens = camera.lens
    found = face.track_face(vertices[..., :2], camera.shape, lens, timeline.segments, fps)
    write_arrays(
        job.work.path("face.npz"), points=found.points, neutral=found.neutral, angles=found.angles, shape=camera.shape,
        translation=found.translation, centre=found.centre, focal=np.array(lens.focal), principal=lens.centre,
    )  # fmt: skip
    _check_sync(job, face.lip_gap(found.points), timeline, fps)
    job.say(
        f"note: focal length {lens.focal:.0f} px, sure to {camera.deviation:.0%}; by the clip alone it would be sure "
        f"to {min(camera.clip_deviation, 9.99):.0%}."
    )
    return {
        "focal_px": lens.focal,
        "focal_deviation": camera.deviation,
        "focal_deviation_by_clip": camera.clip_deviation,
        "reprojection_px": float(found.reprojection.mean()),
    }


def shoulders_stage(job: Job, tell: Tell) -> Facts:
    """`tracked.npz`: the whole clip; and pictures of its frames alone."""
    facts, timeline = job.work.facts("inspect"), _timeline(job)
    frames, pixels = job.work.frames(job.request.size), points_of(_vertices(job)[..., :2])
    with np.load(job.work.path("face.npz"), allow_pickle=False) as arrays:
        found = dict(arrays)
    lens = Lens(float(found["focal"]), found["principal"])
    placed = np.einsum("tij,tpj->tpi", rotation_of(found["angles"]), found["points"]) + found["translation"][:, None]
    away = np.abs(found["translation"] - np.median(found["translation"], axis=0)).sum(axis=1)
    reference = int(away.argmin())
    picture = np.asarray(frames[timeline.numbers[reference]])
    points = shoulders.find_shoulders(picture, pixels[reference])
    moves = shoulders.follow(frames, timeline.numbers, picture, points)
    tell(0.9)
    depth, fps = float(placed[..., 2].mean()), facts["fps"]
    board = shoulders.billboard(points, moves, depth, lens, timeline.segments, fps)
    clip = Tracked(
        fps, found["points"], found["neutral"], found["angles"], found["translation"], board, lens.matrix,
        found["centre"],
    )  # fmt: skip
    save_tracked(job.work.path("tracked.npz"), clip)
    return {"depth_mm": depth}


def candidates_stage(job: Job, tell: Tell) -> Facts:
    """Which four pictures are the candidates (section 3.4); what was dropped goes from `frames.rgb`."""
    clip, timeline = load_tracked(job.work.path("tracked.npz")), _timeline(job)
    _keep_only(job, timeline.numbers)
    return {"candidates": candidate_frames(clip.points, clip.angles)}


def _keep_only(job: Job, numbers: NDArray[np.int64]) -> None:
    """Write `kept.rgb`, the pictures of the tracked clip, in the place of `frames.rgb`."""
    kept, every = job.work.path("kept.rgb"), job.work.path("frames.rgb")
    if kept.exists():
        every.unlink(missing_ok=True)
        return
    frames = job.work.frames(job.request.size)
    if len(numbers) == len(frames):
        os.replace(every, kept)
        return
    partial = job.work.path("kept.rgb.partial")
    with partial.open("wb") as out:
        for first in range(0, len(numbers), COPIED):
            out.write(frames[numbers[first : first + COPIED]].tobytes())
    os.replace(partial, kept)
    every.unlink()


def _videos(job: Job) -> list[source.Video]:
    return [source.look(path) for path in job.request.videos]


def _timeline(job: Job) -> Timeline:
    return Timeline.load(job.work.path(TIMELINE))


def _vertices(job: Job) -> NDArray[np.float64]:
    with np.load(job.work.path("landmarks.npz"), allow_pickle=False) as arrays:
        return np.asarray(arrays["vertices"])


def _check_enough(job: Job, seconds: float) -> None:
    """UsageError if too little is left of the videos once spoilt pictures are gone."""
    if seconds < job.effort.limits.shortest_s:
        raise UsageError(
            f"Only {seconds:.1f} s are left once pictures without a face, or with something before it, are dropped. "
            "Film again: one person, looking into the camera, hands down."
        )


def _check_sync(job: Job, gap: NDArray[np.float64], timeline: Timeline, fps: float) -> None:
    """Say if the lips come too late or too early for the sound."""
    samples = decode(job.work.path("audio.wav")).astype(np.float32) / np.float32(32768)
    whole = np.interp(np.arange(timeline.numbers[-1] + 1), timeline.numbers, gap)
    lag, alike = lag_of(whole, samples, fps)
    if alike > CLEARLY and abs(lag) > LATE_S:
        late = "after" if lag > 0 else "before"
        job.say(f"note: the lips come {abs(lag):.2f} s {late} the sound. Check the recording's sync.")
