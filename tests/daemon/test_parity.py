"""What the daemon sends is what offline rendering makes of the same speech, with the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.backends.choose import open_engine
from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.daemon.loading import Loader
from lsp_cam.daemon.show import Picture, idle_picture
from lsp_cam.devices.null import ListSink
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.dub import dub, picture_frame
from lsp_cam.packets import AS_MADE, SAMPLE_RATE_HZ, Manner
from lsp_cam.pipeline import Pipeline, PipelineConfig
from lsp_cam.stages.steer import Steering
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from lsp_cam.trust.marks import Marker

FPS = 6
SECONDS = 2


@pytest.mark.parametrize(
    ("speed", "steering", "manner"),
    [(0.5, Steering(), AS_MADE), (None, Steering("fixed", yaw_deg=5), Manner(0.5, 1.5, 2.0, 3.0))],
)
def test_the_daemon_sends_the_pictures_of_offline_live_rendering(
    reference_bundle: Any, speed: float | None, steering: Steering, manner: Manner
):
    subject: Subject = reference_bundle()
    engine = open_engine("auto")
    samples = read_audio(sample_speech())[: SECONDS * SAMPLE_RATE_HZ]
    pipeline = Pipeline(subject, engine, PipelineConfig(smoothing="live", seed=7))
    offline = {frame.frame: frame.pixels for frame in dub(pipeline, samples, FPS, steering, manner)}

    camera, shown = ListSink(), []
    loader = Loader(Store(), engine, seed=7)
    source = FileSource(samples, loop=False, speed=speed)
    daemon = Daemon(subject, loader, lambda: source, camera, Settings(FPS))
    daemon.steer(steering)
    daemon.behave(manner)
    put = daemon.rendered.put

    def note(picture: Picture) -> None:
        shown.append(picture)
        put(picture)

    daemon.rendered.put = note
    try:
        daemon.begin()
        assert daemon.stop.wait(60)
    finally:
        daemon.end()

    assert set(offline) == {picture_frame(picture, FPS) for picture in range(SECONDS * FPS)}
    assert shown[-1].frame == max(offline)
    if speed is not None:
        assert len(shown) >= len(offline) / 3, "even a busy machine manages some of them"
    for picture in shown:
        assert np.array_equal(picture.pixels, offline[picture.frame]), f"frame {picture.frame} differs"
    marker = Marker()  # what leaves is marked, by the camera as by whoever writes a file
    known = [marker.mark(pixels) for pixels in (idle_picture(pipeline), *offline.values())]
    for pixels in camera.frames:
        assert any(np.array_equal(pixels, other) for other in known), "the camera got another picture"
