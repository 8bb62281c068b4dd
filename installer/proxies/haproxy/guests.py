"""Guests: answers of ours for a frontend that is somebody else's, in a file that one line there reads.

HAProxy includes no files. Its maps are files, and one rule can answer with what a map has for the path that is asked
for (HAProxy's manual, "http-request return", "map").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies import templates
from palpo_installer.proxies.base import File
from palpo_installer.proxies.haproxy.words import CORS
from palpo_installer.proxies.leaflets import answers, plain
from palpo_installer.proxies.virtual_hosts import Leaflet, line_with_comment
from palpo_installer.site import (
    MARKER_HEADER,
    Challenge,
    Guest,
)

TITLE = "HAProxy"

PRINTABLE = re.compile(r"[\x20-\x7e]+")


def leaflet(guest: Guest, directory: Path) -> Leaflet:
    """Return the file of a guest.

    Raises:
        RefusedPlan: HAProxy cannot answer what it has, or a word of it cannot be written in a map.
    """
    refuse_files(guest)
    text = templates.render(
        "haproxy-guest.map.j2",
        guest=guest,
        documents=tuple(documents(guest)),
    )
    (text,), marker = templates.with_marker([text])
    path = directory / f"{guest.name}-{guest.port}.map"
    rules = (line_with_comment(guest, rule) for rule in lines(guest, path))
    return Leaflet(guest, File(path, text), marker, "\n".join(rules))


def refuse_files(guest: Guest) -> None:
    """Refuse a guest that is to answer with files: HAProxy serves none.

    Raises:
        RefusedPlan: proofs of certificates are among its answers.
    """
    if any(isinstance(route, Challenge) for route in guest.routes):
        raise RefusedPlan(
            f"a proof for a certificate of {guest.name} is a file, and a frontend of HAProxy answers with no files",
            next="Choose certificates.base_domain = site, or certificates.method = files",
        )


def documents(guest: Guest) -> Iterator[tuple[str, str]]:
    """Yield each path with what is answered there: its document, or an error.

    Raises:
        RefusedPlan: a word of it cannot be written in a map.
    """
    for answer in answers(guest.routes, TITLE, _printable):
        yield answer.path, answer.text or "{}"


def lines(guest: Guest, path: Path) -> Iterator[str]:
    """Yield the rules that answer what a file has, for one name alone; the host may come with its port.

    The status of a rule is a number, so that paths which are not there take one before the rule for documents.
    """
    closed: dict[int, list[str]] = {}
    for answer in answers(guest.routes, TITLE, _printable):
        if answer.status >= 400:
            closed.setdefault(answer.status, []).append(answer.path)
    for status, paths in closed.items():
        yield _line(guest, path, status, f"{{ path {' '.join(paths)} }}")
    yield _line(guest, path, 200)


def _line(guest: Guest, path: Path, status: int, *more: str) -> str:
    source = f"map({plain(str(path), TITLE)})"
    headers = " ".join(f"hdr {name} {_word(value)}" for name, value in CORS)
    named = f"{{ req.hdr(host),field(1,:) -i {guest.name} }}"
    conditions = [*(["{ ssl_fc }"] if guest.tls else []), named, *more, f"{{ path,{source} -m found }}"]
    return (
        f"http-request return status {status} content-type application/json hdr {MARKER_HEADER} "
        f"%[str({MARKER_HEADER}),{source}] {headers} lf-string %[path,{source}] if {' '.join(conditions)}"
    )


def _word(value: str) -> str:
    return f'"{value}"' if " " in value else value


def reads(directive: str, path: Path) -> bool:
    """Return whether a directive is a rule that answers what a file has."""
    return directive.startswith("http-request return ") and f"lf-string %[path,map({path})]" in directive


def _printable(text: str) -> str:
    if not PRINTABLE.fullmatch(text):
        raise RefusedPlan(f"this text cannot stand in a map of HAProxy: {text!r}")
    return text
