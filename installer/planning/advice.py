"""What a person should know about a guest in their site, and what is left for them to do there."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.planning.guests import Hosting, Place, in_words
from palpo_installer.proxies.found import Listen, ServerBlock
from palpo_installer.proxies.nginx.answering import By
from palpo_installer.proxies.nginx.listens import Listening
from palpo_installer.proxies.sockets import is_tcp

KEPT = ("ssl", "http2", "proxy_protocol")
"""The options of a ``listen`` that every server block of a socket shares."""


def findings(hosting: Hosting) -> Iterator[str]:
    """Yield what a person should know."""
    guest, leaflet = hosting.guest, hosting.leaflet
    for place in hosting.places:
        yield from _of_place(hosting, place)
    for found in hosting.found:
        if found.by is By.DEFAULT:
            sockets = ", ".join(Listening(*socket).words for socket in found.sockets)
            yield (
                f"On {sockets} no site has the name {guest.name}: {found.block.file}:{found.block.line} answers by "
                f"chance, and {leaflet.title} is not there. Let the site of {guest.name} listen there as well"
            )
    if not guest.tls:
        yield (
            f"Proofs for certificates of {guest.name} are looked for in our directory first, then where the site "
            f"keeps its own files. Where a program behind the site answers them, choose certificates.base_domain = site"
        )


def _of_place(hosting: Hosting, place: Place) -> Iterator[str]:
    name, where = hosting.guest.name, f"{place.block.file}:{place.block.line}"
    if place.reason:
        yield (
            f"Add this line by hand to the server block at {where}, then reload nginx: {hosting.leaflet.line} "
            f"(palpo-installer leaves that file alone: {place.reason}). palpo-installer verify shows whether it works"
        )
    if place.reason and place.answering.by is not By.NAME:
        yield f"Or give {name} a server block of its own: {own_block(hosting, place.block)}"
    for one in hosting.conflicts(place):
        if place.reason or not one.certain:
            yield f"In the site of {name}, {in_words(one)} ({one.where})"
    if f"www.{name}" in place.block.names and not place.reason:
        yield f"www.{name} is served by the same block ({where}) and answers at these paths too, which does no harm"


def own_block(hosting: Hosting, block: ServerBlock) -> str:
    """Return a server block for the one name, beside one that has many."""
    listens = dict.fromkeys(_words(each) for each in block.listens if is_tcp(each, hosting.guest.port))
    lines = [
        *(f"listen {words};" for words in listens),
        f"server_name {hosting.guest.name};",
        *(f"ssl_certificate {path};" for path in block.certificates),
        *(f"ssl_certificate_key {path};" for path in block.keys),
        f"include {hosting.leaflet.included};",
    ]
    return f"server {{ {' '.join(lines)} … and the rest of {block.file}:{block.line} }}"


def _words(listen: Listen) -> str:
    options = tuple(option for option in listen.options if option in KEPT)
    return Listening(listen.address, listen.port, options).words
