"""Inspect: whether a subject can be made of these videos, in plain words, before hours are spent on them.

What cannot work is refused; what works less well is said, and goes on.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import UsageError
from lsp_cam.train.prepare.mesh import Face, FaceFinder
from lsp_cam.train.prepare.source import Picture, Video, pictures, sound
from lsp_cam.train.prepare.speech import speech_share

RIVAL = 0.5  # of the largest face's side: a smaller one is somebody in the background
SAMPLES = 60


@dataclass(frozen=True)
class Limits:
    """What is too little (refused) and what is little (said)."""

    shortest_s: float = 20.0
    short_s: float = 180.0
    fewest_fps: float = 15.0
    few_fps: float = 24.0
    smallest_face_px: float = 48.0
    small_face_px: float = 120.0
    faceless: float = 0.5
    rivals: float = 0.05
    blurred: float = 15.0
    least_speech: float = 0.2


@dataclass(frozen=True)
class Findings:
    """What inspection found; shares in 0..1, lengths in s and px. `warnings` are for the user."""

    fps: float
    width: int
    height: int
    seconds: float
    face_px: float
    faceless: float
    rivals: float
    sharpness: float
    speech: float
    warnings: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """As JSON would have it."""
        return asdict(self)


def inspect(videos: list[Video], limits: Limits, tell: Callable[[float], None]) -> tuple[Findings, list[Face]]:
    """Look through all videos; returns what was found and the faces that were. Raises UsageError where it is no use."""
    first = videos[0]
    for video in videos[1:]:
        if (video.width, video.height) != (first.width, first.height):
            raise UsageError(
                f"{video.path.name} is {video.width}x{video.height}, {first.path.name} {first.width}x{first.height}. "
                "Use videos of one camera at one setting, or make a subject of each."
            )
    seconds = sum(min(video.picture_s, video.sound_s) for video in videos)
    _check_length(seconds, limits)
    if first.fps < limits.fewest_fps:
        raise UsageError(
            f"{first.path.name} has {first.fps:g} pictures a second; lips need at least 15. Film it again."
        )
    seen = [_faces(video, SAMPLES // len(videos) + 1, tell) for video in videos]
    found, sharpness = [faces for part, _ in seen for faces in part], [s for _, part in seen for s in part]
    faceless, rivals, main = _judge_faces(found, limits)
    size = float(np.median([face.side for face in main]))
    if size < limits.smallest_face_px:
        raise UsageError(f"The face is only {size:.0f} pixels wide. Film it from nearer, or at a higher resolution.")
    speech = speech_share(np.concatenate([sound(video, video.picture_s) for video in videos]))
    findings = Findings(
        first.fps, first.width, first.height, seconds, size, faceless, rivals, float(np.median(sharpness)), speech, ()
    )
    return _with_warnings(findings, videos, limits), main


def _check_length(seconds: float, limits: Limits) -> None:
    if seconds < limits.shortest_s:
        raise UsageError(
            f"There are {seconds:.1f} s of picture and sound, too little to learn a face from: at least "
            f"{limits.shortest_s:g} s are needed, three to five minutes are right. Film more, or give several videos."
        )


def _faces(video: Video, count: int, tell: Callable[[float], None]) -> tuple[list[list[Face]], list[float]]:
    """Faces of pictures at even distances, and how sharp the largest of each is."""
    finder, found, sharp = FaceFinder(), [], []
    total = video.frames(video.fps)
    wanted = set(np.linspace(0, max(0, total - 1), min(count, max(1, total))).astype(int).tolist())
    for number, picture in enumerate(pictures(video, video.fps)):
        if number >= total:
            break
        if number in wanted:
            faces = finder.find(picture)
            found.append(faces)
            sharp += [_sharpness(picture, faces[0])] if faces else []
            tell(number / total)
    return found, sharp


def _sharpness(picture: Picture, face: Face) -> float:
    """Variance of the Laplacian over the face, at 128 pixels' width: what is blurred has little."""
    half = face.side / 2
    top, left = max(0, int(face.y - half)), max(0, int(face.x - half))
    part = picture[top : int(face.y + half), left : int(face.x + half)]
    grey: NDArray[np.uint8] = np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), np.uint8)
    small = cv2.resize(grey, (128, 128), None, 0, 0, cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_64F).var())


def _judge_faces(found: list[list[Face]], limits: Limits) -> tuple[float, float, list[Face]]:
    """Share of pictures without a face, share with a second one as large, and the largest of each picture."""
    main = [faces[0] for faces in found if faces]
    faceless = 1 - len(main) / len(found)
    if faceless > limits.faceless:
        raise UsageError(
            f"No face is seen in {faceless:.0%} of the pictures. Use a video of one person who looks into the camera."
        )
    rivals = float(np.mean([any(f.side > RIVAL * faces[0].side for f in faces[1:]) for faces in found]))
    if rivals > limits.rivals:
        raise UsageError(
            f"Two faces are seen in {rivals:.0%} of the pictures, and nobody can tell whose subject this is to be. "
            "Use a video that shows one person, or crop it."
        )
    return faceless, rivals, main


def _with_warnings(found: Findings, videos: list[Video], limits: Limits) -> Findings:
    """The findings with all that a user should know before going on."""
    said = []
    for video in videos:
        name, surplus = video.path.name, video.sound_s - video.picture_s
        if abs(surplus) > 0.5:
            longer = "sound" if surplus > 0 else "picture"
            said.append(f"{name}: the {longer} is {abs(surplus):.1f} s longer than the rest, which is left out.")
        if video.uneven:
            said.append(f"{name}: its pictures come unevenly; they are taken at {found.fps:g} a second.")
        if video.turned_deg:
            said.append(f"{name}: filmed lying, shown upright ({video.width}x{video.height}).")
    checks = [
        (found.seconds < limits.short_s, f"{found.seconds:.0f} s are little; three to five minutes are right."),
        (found.fps < limits.few_fps, f"{found.fps:g} pictures a second are few; closing lips take two or three of 25."),
        (found.face_px < limits.small_face_px, f"The face is small ({found.face_px:.0f} px): detail will be missing."),
        (found.faceless > 0, f"No face is seen in {found.faceless:.0%} of the pictures; they are left out."),
        (found.sharpness < limits.blurred, "The face is blurred. More light, or a cleaner lens, would help."),
        (found.speech < limits.least_speech, f"Only {found.speech:.0%} of the time somebody speaks."),
        (found.speech > 0.98, "There is no silence, in which the mouth would show how it closes."),
    ]
    said += [text for is_so, text in checks if is_so]
    return Findings(**{**asdict(found), "warnings": tuple(said)})
