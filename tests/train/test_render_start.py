"""What the lite renderer begins from."""

from pathlib import Path

import numpy as np

from lsp_cam.train.prepare.mesh import PersonFinder
from lsp_cam.train.render_start import background
from tests.train.prepare.clips import pictures_of

WALL = (90, 120, 150)


def test_there_is_no_ghost_of_the_person_where_the_wall_is_seen_at_times(shared: Path) -> None:
    picture = pictures_of(shared, 1, 256)[0]
    person = PersonFinder().find(picture)
    frames, hidden = [], []
    for shift in (0, 0, 0, 40):  # the person is mostly in one place: a median of all this has them in it
        alone = np.where(person[..., None], picture, np.array(WALL, np.uint8))
        frames.append(np.roll(alone, shift, axis=1))
        hidden.append(np.roll(person, shift, axis=1))
    seen = ~np.all(hidden, axis=0)
    away = np.abs(background(np.stack(frames)) - WALL).max(axis=-1)
    assert (away[seen] < 8).mean() > 0.97
    usual = np.abs(np.median(frames, axis=0) - WALL).max(axis=-1)
    assert (usual[seen] < 8).mean() < 0.9


def test_what_is_never_seen_is_filled_with_what_is_beside_it(shared: Path) -> None:
    picture = pictures_of(shared, 1, 256)[0]
    person = PersonFinder().find(picture)
    alone = np.where(person[..., None], picture, np.array(WALL, np.uint8))
    away = np.abs(background(alone[None]) - WALL).max(axis=-1)
    assert (away[person] < 60).mean() > 0.9
