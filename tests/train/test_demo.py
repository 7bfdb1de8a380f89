"""The arrays of the shipped subject, put through the running program's own stages, against the ground truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.packets import FaceFrame
from lsp_cam.stages.landmarks import LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER
from lsp_cam.stages.project import Camera, ProjectConfig, ProjectStage
from lsp_cam.train.bundle import camera_arrays, face_arrays, settings
from lsp_cam.train.candidates import candidate_frames, ring_area
from lsp_cam.train.demo import silent_frames
from lsp_cam.train.synthetic import read_tracked
from lsp_cam.train.tracked import Tracked


@pytest.fixture(scope="module")
def clip(shared: Path) -> Tracked:
    return read_tracked(shared / "data" / "synthetic")


def test_the_runtime_projects_tracked_points_to_the_true_pixels(clip: Tracked) -> None:
    arrays = camera_arrays(clip)
    camera = Camera(arrays["intrinsics"], 1.0, arrays["shoulders"], arrays["shoulders_translation"])
    stage = ProjectStage(ProjectConfig(), camera)
    truth = clip.project(clip.points)
    for frame in (0, 700, 2900):
        pose = np.concatenate([clip.angles[frame], clip.translation[frame]]).astype(np.float32)
        seen = stage.step(FaceFrame(frame, clip.points[frame].astype(np.float32), pose), None)[0][0]
        assert np.abs(seen.points - truth[frame]).max() < 0.1


def test_the_closed_mouth_is_closed_and_the_rest_of_the_face_at_its_mean(shared: Path, clip: Tracked) -> None:
    quiet = silent_frames(shared / "data/synthetic/phones.json", len(clip.points), clip.fps)
    assert 100 < len(quiet) < 0.2 * len(clip.points)
    arrays = face_arrays(clip, quiet)
    face = arrays["rest_points"].copy()
    face[list(LIPS)] = arrays["closed_mouth"]
    np.testing.assert_allclose(face[list(LIPS_INNER_UPPER)], face[list(LIPS_INNER_LOWER)], atol=1e-4)
    assert np.linalg.norm(face[list(LIPS)] - arrays["mean_points"][list(LIPS)], axis=1).max() < 6  # mm
    assert arrays["eye_track"].shape[1] == len(arrays["eye_indices"])


def test_silence_excludes_the_edges_of_pauses(tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text(json.dumps({"phones": [["AA", 0, 1], ["SIL", 1, 2], ["SIL", 2.5, 2.6]]}))
    assert silent_frames(tmp_path / "phones.json", 90, 30).tolist() == list(range(34, 56))


def test_candidates_differ_in_mouth_and_pose(clip: Tracked) -> None:
    frames = candidate_frames(clip.points, clip.angles)
    areas = ring_area(clip.points[:, range(46, 58), :2])
    assert len(set(frames)) == 4
    assert areas[frames[0]] < np.percentile(areas, 5) < np.percentile(areas, 95) < areas[frames[1]]


def test_settings_rest_at_the_mean_pose(clip: Tracked) -> None:
    head = settings(clip, 1.0, 512)["head"]
    np.testing.assert_allclose(head["mean_rotation_deg"], clip.angles.mean(axis=0) - [180, 0, 0], atol=1e-3)
