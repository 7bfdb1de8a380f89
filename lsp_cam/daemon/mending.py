"""A renderer that fails (a graphics card that is gone, memory that ran out) is loaded anew; speech and camera go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from ..errors import LspCamError
from ..pipeline import Pipeline

LOG = logging.getLogger(__name__)
RETRY_S = 2.0


class Mender:
    """The render worker tells it how each picture went; anybody may ask. `renew` loads a pipeline's renderer anew.

    `problem`: why there are no pictures now; None while there are. `mended`: how often there were again.
    """

    def __init__(self, renew: Callable[[Pipeline], None], now: Callable[[], float] = time.monotonic) -> None:
        self._renew = renew
        self._now = now
        self._failed_s = self._again_s = -float("inf")
        self.problem: str | None = None
        self.mended = 0

    @property
    def resting(self) -> bool:
        """Whether it is too early to try again."""
        return self._now() < self._again_s

    def worked(self) -> None:
        """There is a picture."""
        if self.problem is not None:
            LOG.warning("the renderer works again")
            self.problem = None
            self.mended += 1

    def failed(self, pipeline: Pipeline, error: LspCamError) -> None:
        """There is no picture. What fails for the first time is tried again at once, and then every `RETRY_S`."""
        if self.problem is None:
            LOG.warning("the renderer is loaded anew, for it failed: %s", error)
        self.problem = str(error)
        try:
            self._renew(pipeline)
        except LspCamError as still:
            self.problem = str(still)
        lately = self._now() - self._failed_s < 2 * RETRY_S
        self._failed_s = self._now()
        self._again_s = self._failed_s + (RETRY_S if lately else 0.0)
