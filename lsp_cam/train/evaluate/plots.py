"""Plots of the page as SVG whose colours are the page's own, so that they are at home in light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lsp_cam.packets import MOTION_FPS
from lsp_cam.train.evaluate.figures import Array, Row
from lsp_cam.train.evaluate.phones import Phone

# Colours that nobody would choose stand for the page's variables until the SVG is written.
INK, FAINT, TRUE, OURS, THIRD = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {INK: "ink", FAINT: "line", TRUE: "true", OURS: "ours", THIRD: "third"}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": FAINT,
    "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK, "grid.color": FAINT,
    "axes.grid": True, "grid.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "lines.linewidth": 1.6, "axes.facecolor": "none", "figure.facecolor": "none",
}  # fmt: skip
WIDE = (8.2, 2.6)
SQUARE = (4.6, 4.2)


def svg(name: str, size: tuple[float, float], draw: Callable[[Figure], None]) -> str:
    """What `draw` puts on a figure of `size` inches; `name` keeps its ids apart from other plots'."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = text.replace("'DejaVu Sans'", "system-ui, sans-serif").replace("DejaVu Sans", "system-ui")
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)


@contextmanager
def _legend(axes: Axes, columns: int = 3) -> Iterator[None]:
    yield
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.1, handlelength=1.4)


def sweep(heard_less: list[Row], trained: list[Row] | None) -> str:
    """Mouth error over look-ahead."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        with _legend(axes):
            for rows, colour, label in (
                (heard_less, OURS, "this network, hearing less"),
                (trained, THIRD, "trained for each"),
            ):
                if rows:
                    x, y = [r["look_ahead_ms"] for r in rows], [r["error_mm"]["mean"] for r in rows]
                    axes.plot(x, y, "o-", color=colour, label=label, markersize=4.5)
        axes.set(xlabel="look-ahead, ms", ylabel="error, mm", ylim=(0, 1.12 * axes.dataLim.y1))

    return svg("mouth error over look-ahead", WIDE, draw)


def gap(shown: Array, tracked: Array, phones: list[Phone], first_s: float, last_s: float) -> str:
    """The inner lips' gap, the true one and the one from speech, with p, b and m marked."""

    def draw(figure: Figure) -> None:
        axes, when = figure.subplots(), (np.arange(len(shown)) + 0.5) / MOTION_FPS
        with _legend(axes):
            for phone in phones:
                if phone.name in ("P", "B", "M") and first_s < phone.start_s < last_s:
                    axes.axvspan(phone.start_s, phone.end_s, color=FAINT, alpha=0.8, linewidth=0)
                    place = ((phone.start_s + phone.end_s) / 2, 0.92)
                    axes.annotate(
                        phone.name.lower(), place, xycoords=("data", "axes fraction"), ha="center", fontsize=9
                    )
            axes.plot(when, tracked, color=TRUE, label="tracked")
            axes.plot(when, shown, color=OURS, label="from speech")
        axes.set(xlabel="s", ylabel="gap, mm", xlim=(first_s, last_s), ylim=(0, None))

    return svg("gap between the inner lips", WIDE, draw)


def head(ours: Array, truth: Array) -> str:
    """Angles (about their true mean) and sideways position of the generated and of the tracked head, (T, 6) each."""
    columns = ((1, "yaw, °"), (0, "pitch, °"), (2, "roll, °"), (3, "x, mm"))

    def draw(figure: Figure) -> None:
        rows = figure.subplots(len(columns), sharex=True)
        for axes, (column, label) in zip(rows, columns, strict=True):
            when, middle = (np.arange(len(truth)) + 0.5) / MOTION_FPS, truth[:, column].mean()
            axes.plot(when, truth[:, column] - middle, color=TRUE, label="tracked")
            axes.plot(when, ours[:, column] - middle, color=OURS, label="generated")
            axes.set(ylabel=label, xlim=(0, when[-1]))
        with _legend(rows[0]):
            rows[-1].set(xlabel="s")

    return svg("head motion", (8.2, 5.6), draw)


def quality(when: Array, whole: Array, face: Array, mouth: Array) -> str:
    """PSNR over time."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        with _legend(axes):
            for values, colour, label in (
                (whole, OURS, "whole picture"),
                (face, TRUE, "face"),
                (mouth, THIRD, "mouth"),
            ):
                axes.plot(when, values, color=colour, label=label)
        axes.set(xlabel="s", ylabel="PSNR, dB")

    return svg("PSNR over time", WIDE, draw)


def scatter(name: str, groups: list[tuple[str, Array, str, str]]) -> str:
    """Points (N, 2) of each group: its label, points, colour and marker."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        with _legend(axes, 2):
            for label, points, colour, marker in groups:
                size = {"*": 60.0, "o": 9.0 if len(points) > 100 else 26.0}[marker]
                axes.scatter(
                    points[:, 0],
                    points[:, 1],
                    s=size,
                    color=colour,
                    marker=marker,
                    label=label,
                    alpha=0.75,
                    linewidths=0,
                )
        axes.set(xticks=[], yticks=[])

    return svg(name, SQUARE, draw)
