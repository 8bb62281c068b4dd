"""What in a palpo.toml is secret: by its key, or by what it looks like."""

from __future__ import annotations

import re

KeyPath = tuple[str, ...]

_WORDS = "passw|passphrase|pwd|secret|token|credential"
SECRET_KEY = re.compile(f"{_WORDS}|key", re.IGNORECASE)
"""Names of keys whose value is secret, and words that make a comment one."""

SECRET_TABLE = re.compile(f"{_WORDS}|keypair|keys?($|[_-])", re.IGNORECASE)
"""Names of tables in which everything is secret."""

SECRET_PATHS = frozenset({("db", "url"), ("admin", "startup_execute"), ("admin", "signal_execute")})
"""Keys whose name does not say it: a URL with a password in it, commands that set one."""

OPEN_PATHS = frozenset({("keypair", "version"), ("rc_password", "per_second"), ("rc_password", "burst")})
"""Keys whose name says more than it means."""

CREDENTIALS = re.compile(
    r"://[^\s\"'/?#]*@"  # a URL with user information before the host
    r"|://[^\s\"'@]*:[^\s\"']*@"  # the same with a password that should have been escaped
    rf"|(?:{_WORDS}|key|sig)[\w-]*\s*[=:]",  # a parameter, of a URL or of a libpq connection string
    re.IGNORECASE,
)
"""What gives away that a text has a secret in it."""

RANDOM = re.compile(r"(?=[^\s]*[0-9])(?=[^\s]*[A-Za-z])[A-Za-z0-9+/=_-]{16,}")
"""A word that looks drawn at random: a key or token with nothing around it that says so."""

ASSIGNED = re.compile(r"=\s*[\"'\[{]")
"""A value that is given to something."""


def is_secret(path: KeyPath) -> bool:
    """Return whether the value at a key is secret."""
    if path in OPEN_PATHS or not path:
        return False
    return (
        bool(SECRET_KEY.search(path[-1]))
        or any(SECRET_TABLE.search(table) for table in path[:-1])
        or any(path[:length] in SECRET_PATHS for length in range(1, len(path) + 1))
    )


def gives_away(text: str) -> bool:
    """Return whether a text, under whatever key, has a password or the like in it."""
    return bool(CREDENTIALS.search(text))


def speaks_of_one(comment: str) -> bool:
    """Return whether the words of a comment, which are no statement, may tell a secret."""
    return any(form.search(comment) for form in (SECRET_KEY, CREDENTIALS, RANDOM, ASSIGNED))
