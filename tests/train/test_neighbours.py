"""Projection of many rows at once, against the published code's."""

import numpy as np

from lsp_cam.train.neighbours import Projector
from tests.conftest import Case


def test_projection_is_that_of_the_published_code(case: Case) -> None:
    base = case.subject["feature_base"]
    ours = Projector(base, case.config["Knear"])(case.expected["apc"])
    share = case.config["LLE_percent"]
    blended = share * ours + (1 - share) * case.expected["apc"]
    off = np.abs(blended - case.expected["projected"]).max(axis=1) > 1e-4
    assert off.mean() < 0.02  # where two rows are equally near to a hair, either may be taken


def test_a_row_of_the_base_is_rebuilt_as_itself() -> None:
    base = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    np.testing.assert_allclose(Projector(base, 4)(base[:7]), base[:7], atol=1e-4)
