"""What is made of the pictures that came back."""

from __future__ import annotations

import pytest

from lsp_cam.selftest.back import Eye
from lsp_cam.selftest.run import Sent, _findings


def test_pictures_that_had_waited_for_their_reader_tell_nothing_of_the_camera() -> None:
    """A reader that takes seconds to open is then given old ones, one after the other, and only then what is sent."""
    fps, began_s = 10, 100.0
    sent = Sent({number: 93.0 + number / fps for number in range(170)})
    eye = Eye(lambda: None)
    eye.seen_s = {number: began_s + 0.001 * number for number in range(70)}
    eye.seen_s |= {number: at_s + 0.05 for number, at_s in sent.at_s.items() if at_s > began_s}
    found = _findings("camera", None, "camera", fps, began_s, sent, eye, None)
    assert found.fps == pytest.approx(fps)
    assert found.delay_ms == pytest.approx((50, 50))
    assert found.jitter_ms == pytest.approx(0, abs=1e-6)
