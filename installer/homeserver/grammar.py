"""The grammar of TOML as far as it takes to tell keys, values and comments apart, also in text that is no TOML."""

from __future__ import annotations

import re
import tomllib

from palpo_installer.homeserver.secrecy import KeyPath

NAME = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\[^\n])*\"|'[^'\n]*')"
DOTTED = rf"{NAME}(?:[ \t]*\.[ \t]*{NAME})*"
TABLE = re.compile(rf"(\[\[?)[ \t]*(?P<name>{DOTTED})[ \t]*\]\]?")
KEY = re.compile(rf"(?P<name>{DOTTED})[ \t]*=[ \t]*")
STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})'
    r'|"(?!"")(?:[^"\\\n]|\\[^\n])*"|\'(?!\'\')[^\'\n]*\'',
    re.DOTALL,
)
BARE = re.compile(r"true|false|[+-]?(?:inf|nan)|[+-]?[0-9][0-9A-Za-z_.:+-]*(?: [0-9][0-9:.]*[Zz]?)?")
SPACE = re.compile(r"[ \t]*")
LAYOUT = re.compile(r"[ \t\r\n]*")
COMMENT = re.compile(r"(?P<sign>(?:#[ \t]*)+)(?P<text>[^\r\n]*)")
LINE = re.compile(r"[^\n]*")
NEWLINE = re.compile(r"\r?\n|\Z")
COMMA = re.compile(",")
CLOSING = {"[": re.compile(r"\]"), "{": re.compile(r"\}")}
END = re.compile(r"\Z")


class NoToml(Exception):
    """The text at this place is no TOML."""


def parts(dotted: str) -> KeyPath:
    """Return the parts of a dotted key as TOML reads them."""
    try:
        value: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        raise NoToml from None
    path: list[str] = []
    while isinstance(value, dict):
        name, value = next(iter(value.items()))
        path.append(name)
    return tuple(path)


def meant(literal: str) -> str:
    """Return what a TOML string stands for."""
    try:
        return str(tomllib.loads(f"x = {literal}")["x"])
    except tomllib.TOMLDecodeError:
        raise NoToml from None
