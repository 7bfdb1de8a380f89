"""Asking, in plain words, for the consent that a new subject rests on."""

from __future__ import annotations

import typer

from ..errors import ConsentError, UsageError
from ..trust.consent import HOWS, USES, Consent, How, Use, nobody

KINDS: tuple[How, ...] = ("spoken", "written", "signed", "nobody")


def ask_consent() -> Consent:
    """The answers of whoever sits at the terminal. ConsentError if the person shown has not agreed."""
    shows = str(typer.prompt("Who is shown? Their full name, or what is shown if it is nobody real"))
    how = _one_of("How did they agree?", KINDS)
    if how == "nobody":
        return nobody(shows, str(typer.prompt("Why is there nobody to ask?")))
    if not typer.confirm(f"Has {shows} agreed to being shown speaking words that they did not say?"):
        raise ConsentError(f"Without the agreement of {shows} no subject is made. Ask them, then run this again.")
    return Consent(
        shows=shows,
        agreed_by=str(typer.prompt("Who agreed? The person shown, or who may speak for them", default=shows)),
        how=how,
        statement=str(typer.prompt("What did they agree to, in their own words?")),
        uses=_uses(),
        expires=_expiry(),
        badge=typer.confirm("Must the pictures carry a visible mark?", default=False),
    )


def read_consent(text: str, where: str) -> Consent:
    """The consent in the JSON `text`, for scripts; UsageError if it is none. `where` names it in the message."""
    try:
        return Consent.model_validate_json(text)
    except ValueError as error:
        first = str(error).splitlines()
        raise UsageError(
            f"{where} holds no consent ({'; '.join(first[1:3]).strip() or first[0]}). It is JSON with: "
            f"{', '.join(Consent.model_fields)}."
        ) from None


def _one_of(question: str, kinds: tuple[How, ...]) -> How:
    told = "".join(f"\n  {kind}: {HOWS[kind]}" for kind in kinds)
    while True:
        answer = str(typer.prompt(f"{question}{told}\nOne of them")).strip().lower()
        for kind in kinds:
            if kind == answer:
                return kind
        typer.echo(f"'{answer}' is none of them.")


def _uses() -> tuple[Use, ...]:
    chosen: tuple[Use, ...] = tuple(use for use in USES if typer.confirm(f"May it be used for {USES[use]}?"))
    if not chosen:
        raise ConsentError("Consent to no use at all is none. No subject is made.")
    return chosen


def _expiry() -> str | None:
    while True:
        answer = str(typer.prompt("Until which day (like 2027-12-31)? Nothing for no end", default="")).strip()
        try:
            return Consent(shows="-", statement="", expires=answer or None).expires
        except ValueError:
            typer.echo(f"'{answer}' is no day like 2027-12-31.")
