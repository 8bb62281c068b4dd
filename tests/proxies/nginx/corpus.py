"""Configurations of many shapes, as people and programs write them: in tests/data/nginx, and variants of those."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data/nginx"
LUA = "lua"
"""The one that holds Lua code."""


def _long() -> bytes:
    """Return two thousand lines: a hundred sites in one file."""
    site = (DATA / "laravel.conf").read_text().splitlines()[:20]
    body = "\n".join(line for line in site if "listen" not in line and "server {" not in line)
    names = (f"site{number}.example.com" for number in range(100))
    return "".join(
        f"server {{\n    listen 80;\n{body.replace('example.com;', f'{name};', 1)}\n}}\n" for name in names
    ).encode()


def shapes() -> Mapping[str, bytes]:
    """Return every configuration by a name that says what it is."""
    written = {path.stem: path.read_bytes() for path in sorted(DATA.glob("*.conf"))}
    found = dict(written)
    for name, data in written.items():
        found[f"{name}, lines as on Windows"] = data.replace(b"\n", b"\r\n")
        found[f"{name}, no newline at the end"] = data.rstrip()
        found[f"{name}, comments in Latin-1"] = b"# caf\xe9, stra\xdfe {\n" + data.replace(b"# ", b"# \xe4\xf6\xfc ")
        found[f"{name}, comments in UTF-8"] = "# 🦊 überall; {\n".encode() + data
    found["a hundred sites"] = _long()
    return found


SHAPES = shapes()
