"""The account that some CAs want an ACME account bound to (RFC 8555, section 7.3.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.errors import AnswersError
from palpo_installer.secret import Secret

KEY_IDS = ("kid", "key-id", "keyid")
HMAC_KEYS = ("hmac-key", "hmac", "key")
ALGORITHMS = ("HS256", "HS384", "HS512")


@dataclass(frozen=True)
class ExternalAccount:
    """What the CA gave out for one binding.

    Attributes:
        key_id: its name for the key; not secret.
        hmac_key: the key in base64url.
        algorithm: HS256, HS384 or HS512.
    """

    key_id: str
    hmac_key: Secret
    algorithm: str = "HS256"

    def as_ini(self) -> str:
        """Return it as options for certbot; secret."""
        options = {
            "eab-kid": self.key_id,
            "eab-hmac-key": self.hmac_key.reveal(),
            "eab-hmac-alg": self.algorithm,
        }
        return "".join(f"{key} = {value}\n" for key, value in options.items())


def read(path: Path) -> ExternalAccount:
    """Return the external account in a file.

    Raises:
        AnswersError: it cannot be read, or has no key id or HMAC key.
    """
    try:
        return parse(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise AnswersError(f"cannot be read: {error}", where=str(path)) from error


def parse(text: str, where: str) -> ExternalAccount:
    """Return the external account in a text of lines ``kid = …`` and ``hmac-key = …``.

    The names may have ``eab`` in front, and be written as CAs and other ACME clients write them: in capitals,
    with underscores, with the value in quotes.

    Raises:
        AnswersError: one of the two is missing, or cannot be such a value; its text is not repeated.
    """
    values = {}
    for line in text.splitlines():
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not key.startswith("#"):
            name = key.strip().lower().replace("_", "-").removeprefix("eab-")
            values[name] = value.strip().strip("'\"")
    key_id = _first(values, KEY_IDS)
    hmac_key = _first(values, HMAC_KEYS)
    algorithm = values.get("hmac-alg", "HS256").upper()
    form = "It needs two lines: eab-kid = … and eab-hmac-key = …, as the CA shows them"
    if not re.fullmatch(r"[!-~]+", key_id):
        raise AnswersError("there is no key id in this file", where=where, next=form)
    if not re.fullmatch(r"[A-Za-z0-9_-]+=*", hmac_key):
        raise AnswersError("there is no HMAC key in base64url in this file", where=where, next=form)
    if algorithm not in ALGORITHMS:
        raise AnswersError(f"the algorithm is none of {', '.join(ALGORITHMS)}", where=where)
    return ExternalAccount(key_id, Secret(hmac_key), algorithm)


def _first(values: dict[str, str], names: tuple[str, ...]) -> str:
    return next((values[name] for name in names if values.get(name)), "")
