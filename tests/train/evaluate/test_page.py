"""Plots, spaces and tables of the page."""

from __future__ import annotations

import re

import numpy as np

from lsp_cam.packets import ProjectedFrame, SpeechFrame
from lsp_cam.train.evaluate import plots, spaces
from lsp_cam.train.evaluate.phones import Phone
from lsp_cam.train.evaluate.tables import head_table, picture_table, sweep_table


def test_plots_take_their_colours_from_the_page() -> None:
    wave = np.sin(np.arange(120) / 9) + 1
    for svg in (
        plots.gap(wave, wave, [Phone("M", 0.5, 0.6)], 0, 2),
        plots.sweep([{"look_ahead_ms": 0, "error_mm": {"mean": 2.0, "deviation": 0.1}}], None),
        plots.scatter("places", [("few", np.zeros((4, 2)), plots.OURS, "*")]),
    ):
        assert svg.startswith("<svg ")
        assert "var(--ours)" in svg
        assert not re.search("#01020", svg)
        assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)


def test_features_that_are_alike_lie_together() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 0.1, (60, 8))
    far = [SpeechFrame(k, (rng.normal(9, 0.1, (2, 8))).astype(np.float32)) for k in range(40)]
    near = [
        ProjectedFrame(k, rng.normal(0, 0.1, (2, 8)).astype(np.float32), np.zeros((2, 1), np.int32), np.ones((2, 1)))
        for k in range(40)
    ]
    own, came, moved = spaces.manifold(base, far, near)
    assert (len(own), len(came), len(moved)) == (60, 40, 40)
    middles = [part.mean(axis=0) for part in (own, came, moved)]
    assert np.linalg.norm(middles[0] - middles[2]) < 0.3 * np.linalg.norm(middles[0] - middles[1])


def test_poses_are_brought_down_to_typical_ones() -> None:
    tracked = np.cumsum(np.random.default_rng(0).normal(size=(200, 6)), axis=0)
    places = spaces.poses(tracked, tracked[:30])
    assert [len(part) for part in places] == [30, 15]


def test_tables_leave_out_what_nobody_measured_and_mark_names() -> None:
    found = {"mean": 1.5, "deviation": 0.25}
    keys = ("l1", "psnr_db", "ssim", "face_psnr_db", "mouth_psnr_db")
    html = picture_table([{"name": "<me>", "lpips": None, "landmarks_px": None, **dict.fromkeys(keys, found)}])
    assert "&lt;me&gt;" in html
    assert "1.50 <i>± 0.25</i>" in html
    assert "LPIPS" not in html
    heads = ("d_l_percent", "d_v_percent", "d_rot_deg", "d_pos_percent", "d_l_space_percent")
    row = {"name": "still", **{key: {"mean": 2.0, "deviation": 0.0} for key in heads}}
    assert "<td>2.00</td>" in head_table([row])


def test_the_sweep_has_a_line_for_each_way() -> None:
    rows = [{"look_ahead_ms": ms, "error_mm": {"mean": ms / 100, "deviation": 0.0}} for ms in (0, 300)]
    html = sweep_table({"heard_less": rows, "trained": [*rows, {**rows[1], "look_ahead_ms": 500}]})
    assert html.count("<tr>") == 3
    assert "500 ms" in html
    assert "–" in html  # hearing less ends where the network's own look-ahead does
