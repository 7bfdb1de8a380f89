"""The report: one static page with its pictures beside it, nothing from another host."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np

from lsp_cam.errors import UsageError
from lsp_cam.train.evaluate import plots, spaces
from lsp_cam.train.evaluate.film import coloured, examples, write_film, write_picture
from lsp_cam.train.evaluate.run import Evaluation
from lsp_cam.train.evaluate.speaking import lip_gap
from lsp_cam.train.evaluate.tables import head_table, lips_table, number, picture_table, sweep_table, tiles

GAP_S = 12.0
METHOD = {
    "Held out": (
        "The footage was not seen in training. What is 'as tracked' moves the head, eyes, brows and lips as a "
        "tracker saw them move; what is 'from speech' has nothing but the sound, and runs the very chain that "
        "runs on air."
    ),
    "Mouth": (
        "Mean distance in mm of the 25 mouth-related points, in the head's own axes, from the tracked ones. "
        "'Hearing less' breaks speech off that far behind each frame: what the future is worth to this "
        "network. 'Trained for each' trains a small network for each look-ahead, as Table 1 does, but with "
        "few steps: compare its points with each other."
    ),
    "Head": (
        "D-L, D-V: landmarks in the picture, and their velocities at 60 fps, percent of the face's width. "
        "D-Rot: the angle between both rotations. D-Pos: distance of both translations, percent of the face's "
        "width. Mean ± deviation over roll-outs. A generated head need not move when the true one did; the "
        "still head shows what moving costs here."
    ),
    "Lips": (
        "A p, b or m counts as closed if the gap between the inner lips falls, within its time ± 40 ms, under "
        "a tenth of the same face's open mouth (95th percentile while speaking)."
    ),
    "Pictures": (
        "Levels 0 to 255, all three colours. PSNR of the mean square; SSIM with a Gaussian window of 11, "
        "sigma 1.5, mean over colours. Face and mouth: inside boxes around contour and lips. Mean ± deviation "
        "over pictures."
    ),
}


def prepare(folder: Path) -> None:
    """Make the folder; UsageError if that cannot be, before any work is done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.html").touch()
    except OSError as error:
        raise UsageError(f"The page cannot be written to {folder} ({error.strerror}). Choose another folder.") from None


def write_page(done: Evaluation, folder: Path) -> None:
    """`index.html`, `figures.json`, the film and the pictures."""
    (folder / "figures.json").write_text(json.dumps(done.figures, indent=1) + "\n")
    error, count = write_film(done, folder / "film.mp4")
    write_picture(folder / "error.jpg", coloured(error))
    close = []
    for name, picture, shown in examples(done):
        write_picture(folder / f"{name}.jpg", shown)
        psnr = next(one.values["psnr_db"] for one in done.measured if one.picture == picture)
        close.append(_figure(f"{name}.jpg", f"The {name} of the measured pictures, {psnr:.1f} dB."))
    parts = [_film(done, count), _mouth(done), _head(done), _pictures(done, close), _spaces(done), _method()]
    manifest = done.subject.manifest
    title = f"{manifest.title} on held-out footage"
    html = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{(files(__package__) / "page.css").read_text()}</style></head>
<body><main>
<h1>{escape(title)}</h1>
<p class="soft">{_facts(done)}</p>
<div class="tiles">{"".join(tiles(done.figures))}</div>
{"".join(parts)}
<footer class="soft"><p>{escape(manifest.consent.shows)} {escape(manifest.consent.statement)}<br>
Licence: {escape(manifest.licence)}</p><p>The pictures in the middle and on the right are generated.
All figures: <a href="figures.json">figures.json</a>.</p></footer>
</main></body></html>
"""
    (folder / "index.html").write_text(html, encoding="utf-8")


def _facts(done: Evaluation) -> str:
    f = done.figures
    return (
        f"{f['seconds']:.1f} s from second {f['start_s']:.1f} on, {f['fps']:g} fps, {f['size']} × {f['size']} pixels."
    )


def _section(title: str, lead: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(lead)}</p>{''.join(parts)}</section>"


def _figure(file: str, caption: str) -> str:
    return (
        f'<figure><div class="three"><span>true</span><span>rendered</span><span>error</span></div>'
        f'<img src="{escape(file)}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def _plot(svg: str) -> str:
    return f'<div class="plot">{svg}</div>'


def _film(done: Evaluation, count: int) -> str:
    names = '<div class="three"><span>true</span><span>as tracked</span><span>from speech</span></div>'
    film = f'<figure>{names}<video controls loop playsinline preload="metadata" src="film.mp4"></video></figure>'
    return _section("Film", f"The first {count / done.held_out.fps:.0f} seconds, with their sound.", film)


def _mouth(done: Evaluation) -> str:
    mouth, count = done.figures["mouth"], len(done.spoken.faces)
    shown, tracked = lip_gap(done.spoken.faces), lip_gap(done.clip.points[:count])
    lead = (
        f"Points are {number(mouth['error_mm'], 2)} mm off (mean ± deviation over frames); "
        f"a mouth that holds still would be {number(mouth['still_mouth_error_mm'], 2)} mm off."
    )
    plot = plots.gap(shown, tracked, done.phones.phones, 0.0, min(GAP_S, len(tracked) / 60))
    sweep = plots.sweep(mouth["heard_less"], mouth["trained"])
    return _section("Mouth", lead, _plot(plot), lips_table(done.figures["lips"]), _plot(sweep), sweep_table(mouth))


def _head(done: Evaluation) -> str:
    generated = done.spoken.poses[: len(done.heads.truth.poses)].astype(np.float64)
    lead = "Generated head motion against the tracked one. It is one of many that would do, so curves need not meet."
    return _section(
        "Head", lead, head_table(done.figures["head"]), _plot(plots.head(generated, done.heads.truth.poses))
    )


def _pictures(done: Evaluation, close: list[str]) -> str:
    lead = "Rendered with the head, eyes, brows and lips as tracked, so that the renderer alone is judged."
    when = np.array([(one.picture + 0.5) / done.held_out.fps for one in done.measured])
    keys = ("psnr_db", "face_psnr_db", "mouth_psnr_db")
    whole, face, mouth = (np.array([one.values[key] for one in done.measured]) for key in keys)
    caption = "Mean absolute error over the film; white is 64 of 255."
    mean = f'<figure><img src="error.jpg" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    pair = f'<div class="pair">{mean}</div>'
    table = picture_table(done.figures["picture"])
    return _section("Pictures", lead, table, _plot(plots.quality(when, whole, face, mouth)), *close, pair)


def _spaces(done: Evaluation) -> str:
    base = done.subject.arrays("manifold.npz", feature_base=(None, None))["feature_base"].astype(np.float64)
    own, came, moved = spaces.manifold(base, done.spoken.speech, done.spoken.projected)
    speech = [
        ("subject's own", own, plots.TRUE, "o"),
        ("held-out", came, plots.OURS, "o"),
        ("held-out, projected", moved, plots.THIRD, "o"),
    ]
    truth, generated = spaces.poses(done.heads.truth.poses, done.spoken.poses.astype(np.float64))
    heads = [("tracked", truth, plots.TRUE, "o"), ("generated", generated, plots.OURS, "*")]
    pairs = (
        (
            "speech features",
            speech,
            "Speech features: projection should move the held-out ones onto the subject's own.",
        ),
        ("head poses", heads, "Head poses, 30 typical ones each: the generated should lie among the tracked."),
    )
    shown = [
        f"<div>{_plot(plots.scatter(name, groups))}<p class='note'>{escape(text)}</p></div>"
        for name, groups, text in pairs
    ]
    lead = "What is alike lies together (t-SNE, two dimensions)."
    return _section("Spaces", lead, f'<div class="pair">{"".join(shown)}</div>')


def _method() -> str:
    notes = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in METHOD.items())
    return f"<section><h2>How it was measured</h2><dl>{notes}</dl></section>"
