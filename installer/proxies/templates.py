"""The one Jinja environment, and the marker that proves a rendered configuration is the one that answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined

from palpo_installer.site import AWAY, CHALLENGE_PATH, MARKER_HEADER, MARKER_PATH, NOTHING, TOO_LARGE, TOO_MANY

MARKER_PLACEHOLDER = "<marker>"
"""Stands in a rendered text where ``with_marker`` puts the digest; no name or path can contain it."""

SAID_ALIKE: Mapping[str, object] = {
    "marker": MARKER_PLACEHOLDER,
    "marker_header": MARKER_HEADER,
    "marker_path": MARKER_PATH,
    "challenge_path": CHALLENGE_PATH,
    "nothing": NOTHING,
    "too_large": TOO_LARGE,
    "too_many": TOO_MANY,
    "away": AWAY,
}


def render(template: str, **values: object) -> str:
    """Return a template of ``palpo_installer.templates`` with its values; a missing value is an error.

    What every site of ours says in the same words need not be given: marker, challenges, refusals.
    """
    return environment().get_template(template).render({**SAID_ALIKE, **values})


@cache
def environment() -> Environment:
    """Return the environment: no value may be missing, and tags leave no blank lines behind."""
    return Environment(
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        # The templates are configuration files; each adapter quotes for the format it writes.
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def with_marker(texts: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the texts with their common digest in place of ``MARKER_PLACEHOLDER``, and that digest.

    The digest is the first 16 hex digits of the SHA-256 of all the texts without it, so that the same
    site always has the same marker.
    """
    sha256 = hashlib.sha256()
    for text in texts:
        sha256.update(text.replace(MARKER_PLACEHOLDER, "").encode())
    marker = sha256.hexdigest()[:16]
    return tuple(text.replace(MARKER_PLACEHOLDER, marker) for text in texts), marker


def _source(name: str) -> str | None:
    path = resources.files("palpo_installer.templates") / name
    return path.read_text("utf-8") if path.is_file() else None
