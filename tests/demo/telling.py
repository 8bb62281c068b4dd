"""What the demonstration tells, in parts."""

from __future__ import annotations

import re

STEPS = (
    "What is there, and who answers now",
    "The review: every change is shown before it is made",
    "Apply: an engine of its own makes the changes, and proves them",
    "Verify: what clients and other servers see",
    "Once more: the same answers, and nothing to do",
    "A change that cannot work is taken back",
    "Roll back: the host as it was",
)
"""The steps without a person."""


def parts(said: str) -> dict[str, str]:
    """Return what was said in each step, by its heading."""
    found = re.split(r"^\d\. (.*)$", said, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))
