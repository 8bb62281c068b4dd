"""Secrets: values that never show themselves, and references that stand for them in a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Secret:
    """A value that does not print itself; ``reveal`` is the only way to it."""

    _value: str

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True)
class SecretReference:
    """Stands for a secret in a plan and is resolved when the plan is applied.

    Attributes:
        name: what it is, unique in a plan, e.g. ``homeserver.database_url`` or ``signing key of example.com``.
        source: ``answer`` (delivered with the run, never stored with the plan), ``file`` (the stripped
            content of the file at ``locator``) or ``signing-key`` (that of the server name ``locator``,
            made when there is none).
        locator: the key, path or server name.
    """

    name: str
    source: Literal["answer", "file", "signing-key"]
    locator: str

    @property
    def placeholder(self) -> str:
        """What stands in a shown text instead of the secret."""
        return f"<secret: {self.name}>"


@dataclass(frozen=True)
class Text:
    """A file's text in which secrets are still placeholders inside TOML basic strings.

    Attributes:
        shown: the text with ``placeholder`` of each reference where its value will stand.
        secrets: the references used in ``shown``.
    """

    shown: str
    secrets: tuple[SecretReference, ...] = ()

    def reveal(self, values: Mapping[str, Secret]) -> str:
        """Return the text with every secret in its place, escaped for a TOML basic string."""
        text = self.shown
        for reference in self.secrets:
            # JSON's escapes are TOML's; DEL alone may stand in JSON as it is.
            escaped = json.dumps(values[reference.name].reveal(), ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
            text = text.replace(reference.placeholder, escaped)
        return text

    def __iter__(self) -> Iterator[SecretReference]:
        return iter(self.secrets)
