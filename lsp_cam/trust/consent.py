"""Whose face it is, who agreed to it being shown, how, for what and until when; and whether that covers a use.

What a bundle says here is its author's word; a signature (`signing.py`) tells whose word it is.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..errors import ConsentError
from . import WAIVER

Use = Literal["live", "render", "call"]
How = Literal["none", "nobody", "spoken", "written", "signed"]

# What each use and each kind of agreement is called in sentences.
USES: dict[Use, str] = {"live": "a live camera", "render": "rendered files", "call": "calls"}
HOWS: dict[How, str] = {
    "none": "no agreement is on record",
    "nobody": "nobody real is shown",
    "spoken": "spoken in the footage",
    "written": "a written statement of their own",
    "signed": "signed",
}
TEXT_MAX = 4000


def _day(value: str) -> str:
    if date.fromisoformat(value).isoformat() != value:
        raise ValueError("not a day like 2027-12-31")
    return value


class Consent(BaseModel):
    """Who is shown, who agreed to it and how, for which uses and up to which day (UTC, that day included).

    `statement`: their own words. `how`: "none" where nobody has agreed, which is what a bundle that does not say
    is taken for. `badge`: they agreed on condition that pictures carry a visible mark.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    shows: Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
    statement: Annotated[str, Field(max_length=TEXT_MAX)]
    agreed_by: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    how: How = "none"
    uses: Annotated[tuple[Use, ...], Field(max_length=len(USES))] = ("live", "render", "call")
    expires: Annotated[str, AfterValidator(_day)] | None = None
    badge: bool = False

    @property
    def is_given(self) -> bool:
        """Whether somebody agreed, or nobody need have."""
        return self.how == "nobody" or (self.how != "none" and bool(self.agreed_by.strip()))

    def lines(self) -> list[tuple[str, str]]:
        """What a user must know, as pairs of a heading and a text."""
        by = f"{self.agreed_by} ({HOWS[self.how]})" if self.agreed_by else HOWS[self.how]
        return [
            ("shows", self.shows),
            ("agreed", by),
            ("consent", self.statement or "-"),
            ("for", ", ".join(USES[use] for use in self.uses) or "no use at all"),
            ("until", self.expires or "no end is set"),
            *([("badge", "pictures must carry a visible mark")] if self.badge else []),
        ]


def nobody(shows: str, statement: str) -> Consent:
    """The consent of a bundle that shows nobody real."""
    return Consent(shows=shows, statement=statement, how="nobody")


def today() -> date:
    """The day it is, UTC."""
    return datetime.now(UTC).date()


def check_consent(name: str, consent: Consent, use: Use, *, waived: bool = False, day: date | None = None) -> None:
    """ConsentError, which says what to do, unless `consent` covers `use` of the subject `name` on `day` (today).

    `waived`: the user answers for having the right; that replaces a consent which is missing, and nothing else:
    one that has ended, or that leaves this use out, says no.
    """
    if not consent.is_given:
        if not waived:
            raise ConsentError(
                f"'{name}' shows {consent.shows}, and the bundle holds no consent to that. If you have the right to "
                f"show this person, add {WAIVER}: you answer for it, and the pictures are marked. Otherwise ask its "
                "maker for a bundle with consent."
            )
        return
    if consent.expires is not None and (day or today()) > date.fromisoformat(consent.expires):
        raise ConsentError(
            f"The consent to show '{name}' ended on {consent.expires}. Ask {consent.agreed_by or 'its maker'} to "
            f"agree anew, then install the new bundle: lsp-cam subject install FILE --replace"
        )
    if use not in consent.uses:
        allowed = " and ".join(USES[other] for other in consent.uses) or "no use at all"
        raise ConsentError(
            f"The consent to show '{name}' is for {allowed}, not for {USES[use]}. Choose another subject "
            f"(lsp-cam subject list), or ask {consent.agreed_by or 'its maker'} for a bundle that allows it."
        )
