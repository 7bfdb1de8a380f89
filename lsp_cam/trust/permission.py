"""The one door to showing a subject: every command that shows somebody asks `permit`."""

from __future__ import annotations

from ..subject import Subject
from .consent import HOWS, Use, check_consent
from .signers import Signers

BADGE = "AI PORTRAIT"
BADGE_WITHOUT_CONSENT = "AI PORTRAIT - NO CONSENT ON FILE"


def badge_of(subject: Subject, wanted: bool) -> str:
    """The words that pictures of `subject` must carry; "" for none. `wanted`: the user asks for a badge."""
    consent = subject.manifest.consent
    if not consent.is_given:
        return BADGE_WITHOUT_CONSENT
    return BADGE if wanted or consent.badge else ""


def permit(subject: Subject, use: Use, *, waived: bool = False) -> str:
    """Leave to show `subject`, as a sentence that its user should read.

    ConsentError, which says what to do, if its consent does not cover this `use`; SignerError if it was signed by
    somebody else before. `waived`: the user answers for a consent that the bundle lacks.
    """
    consent = subject.manifest.consent
    check_consent(subject.name, consent, use, waived=waived)
    signed = Signers().meet(subject.name, subject.signer)
    if not consent.is_given:
        return f"No consent is on file for {consent.shows}: you answer for showing this person. {signed}"
    by = f"{consent.agreed_by} ({HOWS[consent.how]})" if consent.agreed_by else HOWS[consent.how]
    until = f", until {consent.expires}" if consent.expires else ""
    return f"Shows {consent.shows.rstrip('.')}. Consent: {by}{until}. {signed}"
