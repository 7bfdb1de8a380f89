"""Tables and tiles of the page."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from lsp_cam.train.evaluate.figures import Row

# What the paper reports for its own subjects and footage: for orientation, not a comparison on the same material.
PAPER_HEAD = {"d_l_percent": "3.6", "d_v_percent": "0.8", "d_rot_deg": "3.6", "d_pos_percent": "8.9"}
PAPER_PICTURE = {"l1": "4.0 … 5.7", "psnr_db": "26.0 … 28.0", "ssim": "0.82 … 0.93", "lpips": "0.037 … 0.075"}
HEAD = {
    "d_l_percent": ("D-L, %", 2), "d_v_percent": ("D-V, %", 2), "d_rot_deg": ("D-Rot, °", 2),
    "d_pos_percent": ("D-Pos, %", 2), "d_l_space_percent": ("D-L in space, %", 2),
}  # fmt: skip
PICTURE = {
    "l1": ("L1", 2), "psnr_db": ("PSNR, dB", 2), "ssim": ("SSIM", 3), "lpips": ("LPIPS", 3),
    "face_psnr_db": ("face, dB", 2), "mouth_psnr_db": ("mouth, dB", 2), "landmarks_px": ("landmarks, px", 2),
}  # fmt: skip


def number(found: dict[str, float] | None, places: int) -> str:
    """`mean ± deviation`."""
    if found is None:
        return "–"
    varied = f" ± {found['deviation']:.{places}f}" if found["deviation"] else ""
    return f"{found['mean']:.{places}f}{varied}"


def _cell(found: dict[str, float] | None, places: int) -> str:
    value, varied, deviation = number(found, places).partition(" ± ")
    return f"{value} <i>± {deviation}</i>" if varied else value


def _table(heads: list[str], rows: list[list[str]], paper: list[str] | None = None) -> str:
    """An HTML table of cells that are HTML already; `paper`: a last row, set apart."""
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    if paper is not None:
        body += '<tr class="paper">' + "".join(f"<td>{cell}</td>" for cell in paper) + "</tr>"
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _measures(rows: list[Row], columns: dict[str, tuple[str, int]], paper: dict[str, str]) -> str:
    kept = {key: column for key, column in columns.items() if any(row[key] is not None for row in rows)}
    cells = [[escape(row["name"]), *(_cell(row[key], places) for key, (_, places) in kept.items())] for row in rows]
    last = ["the paper, its own footage", *(paper.get(key, "") for key in kept)]
    return _table(["", *(head for head, _ in kept.values())], cells, last)


def head_table(rows: list[Row]) -> str:
    """Table 2."""
    return _measures(rows, HEAD, PAPER_HEAD)


def picture_table(rows: list[Row]) -> str:
    """Table 3."""
    return _measures(rows, PICTURE, PAPER_PICTURE)


def sweep_table(mouth: Row) -> str:
    """Table 1: look-aheads across."""
    kinds = {"heard_less": "this network, hearing less", "trained": "trained for each"}
    rows = {kind: {row["look_ahead_ms"]: row["error_mm"] for row in mouth[kind] or []} for kind in kinds}
    times = sorted({ms for found in rows.values() for ms in found})
    lines = [[kinds[kind], *(_cell(found.get(ms), 2) for ms in times)] for kind, found in rows.items() if found]
    return _table(["error, mm", *(f"{ms} ms" for ms in times)], lines)


def lips_table(lips: Row) -> str:
    """Closures and rest."""
    names = [
        f"p, b, m ({lips['closures']})",
        "p",
        "b",
        "m",
        "open gap, mm",
        "movement in silence, mm",
        "gap in silence, mm",
    ]
    keys = ["closed_share", "closed_share_p", "closed_share_b", "closed_share_m"]
    rows = []
    for who, label in (("shown", "from speech"), ("tracked", "tracked")):
        shares = [_share(lips[who][key]) for key in keys]
        rest = [_plain(lips[who][key]) for key in ("open_gap_mm", "silence_movement_mm", "silence_gap_mm")]
        rows.append([label, *shares, *rest])
    note = f"<p class='note'>Closed at p, b, m; phones from {escape(lips['phones_from'])}.</p>"
    return _table(["closed", *names], rows) + note


def _share(found: float | None) -> str:
    return "–" if found is None else f"{found:.0%}"


def _plain(found: float | None) -> str:
    return "–" if found is None else f"{found:.2f}"


def tiles(figures: Row) -> Iterator[str]:
    """The figures that one looks for first."""
    picture, head, lips = figures["picture"][0], figures["head"][0], figures["lips"]["shown"]
    shown: list[tuple[dict[str, float] | None, str, int, str]] = [
        (picture["psnr_db"], "dB", 1, "PSNR of the picture"),
        (picture["ssim"], "", 3, "SSIM of the picture"),
        (picture["mouth_psnr_db"], "dB", 1, "PSNR of the mouth"),
        (figures["mouth"]["error_mm"], "mm", 2, "mouth error"),
        (head["d_l_percent"], "%", 1, "D-L of the head"),
    ]
    yield from (_tile(found["mean"], unit, places, label) for found, unit, places, label in shown if found)
    closed: Any = lips["closed_share"]
    if closed is not None:
        yield _tile(100 * closed, "%", 0, "closed at p, b, m")


def _tile(value: float, unit: str, places: int, label: str) -> str:
    return f'<div class="tile"><b>{value:.{places}f} <small>{unit}</small></b><span>{escape(label)}</span></div>'
