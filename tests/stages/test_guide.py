"""Poses from elsewhere: what lies between keys, what comes late, and what nobody repeats."""

from __future__ import annotations

import numpy as np

from lsp_cam.packets import PoseKey, PoseRow
from lsp_cam.stages.guide import KEPT_FRAMES, MAX_KEYS, SPAN_FRAMES, Guide
from lsp_cam.stages.steer import TRANSITION_FRAMES, Steering, SteerStage

from .test_steer import REST, moving, run


def yawed(degrees: float) -> PoseRow:
    return (degrees, 0.0, 0.0, 0.0, 0.0, 0.0)


def yaws(guide: Guide, frames: range) -> list[float | None]:
    rows = [guide.row_at(frame) for frame in frames]
    return [None if row is None else row[0] for row in rows]


def test_between_keys_the_head_goes_from_one_to_the_next() -> None:
    guide = Guide()
    for at, degrees in ((20, 10.0), (10, 0.0), (15, 2.0)):
        guide.add(PoseKey(at, yawed(degrees)))
    assert yaws(guide, range(8, 10)) == [None, None]
    np.testing.assert_allclose(yaws(guide, range(10, 21)), [0, 0.4, 0.8, 1.2, 1.6, 2, 3.6, 5.2, 6.8, 8.4, 10])


def test_after_a_long_stillness_it_starts_only_shortly_before_the_key() -> None:
    guide = Guide()
    guide.add(PoseKey(0, yawed(0.0)))
    guide.add(PoseKey(100, yawed(SPAN_FRAMES)))
    found = yaws(guide, range(101))
    assert found[: 101 - SPAN_FRAMES] == [0.0] * (101 - SPAN_FRAMES)
    np.testing.assert_allclose(found[-SPAN_FRAMES:], np.arange(1, SPAN_FRAMES + 1))


def test_a_release_and_a_teller_who_is_gone_let_go() -> None:
    guide = Guide()
    guide.add(PoseKey(0, yawed(5.0)))
    guide.add(PoseKey(10, None))
    assert yaws(guide, range(9, 12)) == [5.0, None, None]
    guide.add(PoseKey(20, yawed(5.0)))
    assert yaws(guide, range(20 + KEPT_FRAMES, 22 + KEPT_FRAMES)) == [5.0, None]


def test_a_key_that_comes_late_counts_from_now_on_and_one_that_is_overtaken_does_not() -> None:
    guide = Guide()
    guide.add(PoseKey(0, yawed(1.0)))
    guide.row_at(30)
    assert guide.add(PoseKey(20, yawed(2.0)))
    assert yaws(guide, range(31, 32)) == [2.0]
    guide.add(PoseKey(10, yawed(3.0)))
    assert yaws(guide, range(32, 33)) == [2.0]


def test_a_flood_is_bounded() -> None:
    guide = Guide()
    for at in range(10_000):
        guide.add(PoseKey(at * 7 % 10_000, yawed(1.0)))
    assert len(guide.keys) <= MAX_KEYS


def test_the_head_eases_into_what_it_is_told_and_out_of_it() -> None:
    stage = SteerStage(REST)
    given = moving(400)
    before, state = run(stage, stage.start(), given[:30])
    np.testing.assert_allclose(before, given[:30], atol=1e-4)
    state = stage.follow(state, PoseKey(40, yawed(20.0)))
    state = stage.follow(state, PoseKey(200, None))
    after, state = run(stage, state, given[30:], 30)
    steps = np.abs(np.diff(np.concatenate([before, after]), axis=0)).max(axis=0)
    assert (steps < 0.15 * np.abs(given - REST).max(axis=0) + 3).all(), "no leap"
    told = REST.copy()
    told[1] -= 20
    np.testing.assert_allclose(
        after[10 + TRANSITION_FRAMES : 170], np.tile(told, (160 - TRANSITION_FRAMES, 1)), atol=1e-3
    )
    np.testing.assert_allclose(after[170 + TRANSITION_FRAMES :], given[200 + TRANSITION_FRAMES :], atol=1e-4)


def test_what_is_steered_here_comes_back_when_nobody_tells_more() -> None:
    stage = SteerStage(REST)
    state = stage.turn(stage.start(), Steering("fixed", yaw_deg=-10))
    state = stage.follow(state, PoseKey(0, yawed(10.0)))
    state = stage.follow(state, PoseKey(60, None))
    got, _ = run(stage, state, [REST] * 120)
    assert got[50, 1] < REST[1] - 9.9
    assert got[-1, 1] > REST[1] + 9.9
