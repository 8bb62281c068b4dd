"""What the checks of a rehearsal have in common: how a promise is reported, and what a refusal must look like."""

from __future__ import annotations

from collections.abc import Sequence

from palpo_installer.probe import Answer
from palpo_installer.site import Refusal
from palpo_installer.verify.checks_well_known import cross_origin
from palpo_installer.verify.report import Check, failed, passed
from palpo_installer.verify.resolution import read_object

JSON = "application/json"
CURE = "Do not apply this, and report it with the files that `palpo-installer render --output DIR` writes."
SHOWN = 3
"""Examples in one sentence."""


def judged(name: str, subject: object, promise: str, broken: Sequence[str]) -> Check:
    """Return a check that a promise is kept.

    Args:
        name: what was checked.
        subject: on what.
        promise: a sentence without its capital letter and its full stop.
        broken: what was not as promised, in words; nothing where it is kept.
    """
    if not broken:
        return passed(name, str(subject), f"{promise[0].upper()}{promise[1:]}.")
    more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
    seen = "; ".join(broken[:SHOWN])
    return failed(name, str(subject), f"A promise would be broken: {promise}. Seen: {seen}{more}.", CURE)


def readable(answer: Answer) -> str:
    """Return why scripts of a web client could not read an answer as JSON, empty where they can."""
    types = answer.all("content-type")
    if types != (JSON,):
        return f"its Content-Type is {' and '.join(types) or 'missing'} instead of {JSON}"
    return cross_origin(answer)


def refuses(answer: Answer, refusal: Refusal) -> str:
    """Return how an answer differs from a refusal of the site, empty where it is that."""
    if answer.status != refusal.status:
        return f"it gets {came(answer)} instead of {refusal.status}"
    code = (read_object(answer.body) or {}).get("errcode")
    if code != refusal.errcode:
        return f"its errcode is {code!r} instead of {refusal.errcode!r}"
    return readable(answer)


def came(answer: Answer) -> str:
    """Return what came, in words."""
    return str(answer.status) if answer.status else f"no answer ({answer.problem})"
