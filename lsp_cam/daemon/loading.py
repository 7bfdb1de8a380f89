"""How a subject becomes a pipeline that the daemon can show."""

from __future__ import annotations

from dataclasses import dataclass

from ..backends.base import Engine
from ..pipeline import Observe, Pipeline, PipelineConfig
from ..store import Store
from ..subject import Subject


@dataclass(frozen=True)
class Loader:
    """Finds subjects in `store` and loads them on `engine`; `seed` is that of the head's random motion."""

    store: Store
    engine: Engine
    seed: int = 0

    @property
    def engine_name(self) -> str:
        return self.engine.name

    def find(self, name: str) -> Subject:
        """The subject of that name; raises SubjectNotFound."""
        return self.store.get(name)

    def load(self, subject: Subject, observe: Observe) -> Pipeline:
        """Its pipeline, which takes seconds. Raises BundleError, ModelError."""
        return Pipeline(subject, self.engine, PipelineConfig(smoothing="live", seed=self.seed), observe=observe)
