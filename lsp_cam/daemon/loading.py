"""How a subject becomes a pipeline that the daemon can show."""

from __future__ import annotations

from dataclasses import dataclass

from ..backends.base import Engine
from ..pipeline import Observe, Pipeline, PipelineConfig
from ..store import Store
from ..subject import Subject
from ..trust.consent import Use
from ..trust.permission import badge_of, permit


@dataclass(frozen=True)
class Loader:
    """Finds subjects in `store` and loads them on `engine`; `seed` is that of the head's random motion.

    `badge`: pictures carry the visible mark even where the consent does not demand it. `use`: what they are shown for.
    """

    store: Store
    engine: Engine
    seed: int = 0
    badge: bool = False
    use: Use = "live"

    @property
    def engine_name(self) -> str:
        return self.engine.name

    def find(self, name: str, waived: bool = False) -> Subject:
        """The subject of that name; SubjectNotFound, or ConsentError if its consent does not cover this use.

        `waived`: the user answers for a consent that it lacks.
        """
        subject = self.store.get(name)
        permit(subject, self.use, waived=waived)
        return subject

    def badge_of(self, subject: Subject) -> str:
        """The words that its pictures must carry; "" for none."""
        return badge_of(subject, self.badge)

    def renew(self, pipeline: Pipeline) -> None:
        """Load the renderer of `pipeline` anew. Raises BundleError, ModelError."""
        pipeline.renew(self.engine)

    def load(self, subject: Subject, observe: Observe) -> Pipeline:
        """Its pipeline, which takes seconds. Raises BundleError, ModelError."""
        return Pipeline(subject, self.engine, PipelineConfig(smoothing="live", seed=self.seed), observe=observe)
