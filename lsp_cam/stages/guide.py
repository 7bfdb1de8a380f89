"""Poses that come from elsewhere while speech goes on: keys at motion frames, what lies between them made up."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..packets import PoseKey, PoseRow

SPAN_FRAMES = 15
"""A key is gone towards in the last quarter second before it: what was told before then held until then."""
KEPT_FRAMES = 300
"""A pose that nobody repeats for so long is let go of: whoever told it may be gone."""
MAX_KEYS = 64


@dataclass(slots=True)
class Guide:
    """The keys that are not past yet, and the last that is, by frame; `frame`: the last that was asked for."""

    keys: list[PoseKey] = field(default_factory=list)
    frame: int = -1

    def add(self, key: PoseKey) -> bool:
        """Take a key, in any order; whether it comes too late to be gone towards."""
        self.keys = [*(k for k in self.keys if k.at != key.at), key]
        self.keys.sort(key=lambda k: k.at)
        self._forget()
        del self.keys[:-MAX_KEYS]
        return key.at <= self.frame

    def row_at(self, frame: int) -> PoseRow | None:
        """The pose at `frame`, which never goes down; None where nobody tells one."""
        self.frame = frame
        self._forget()
        now = self.keys[0] if self.keys and self.keys[0].at <= frame else None
        if now is None or now.row is None or frame - now.at > KEPT_FRAMES:
            return None
        following = self.keys[1] if len(self.keys) > 1 else None
        if following is None or following.row is None:
            return now.row
        begin = max(now.at, following.at - SPAN_FRAMES)
        share = max(frame - begin, 0) / (following.at - begin)
        return tuple(a + share * (b - a) for a, b in zip(now.row, following.row, strict=True))

    def _forget(self) -> None:
        """What is before the last key that is past."""
        while len(self.keys) > 1 and self.keys[1].at <= self.frame:
            del self.keys[0]
