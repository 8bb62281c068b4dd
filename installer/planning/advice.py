"""What a person should know about a guest in their site, and what is left for them to do there."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.planning.guests import Hosting, Place, in_words
from palpo_installer.proxies import sockets
from palpo_installer.proxies.answering import By


def findings(hosting: Hosting) -> Iterator[str]:
    """Yield what a person should know."""
    guest, leaflet = hosting.guest, hosting.leaflet
    for place in hosting.places:
        yield from _of_place(hosting, place)
    for found in hosting.found:
        if found.by is By.DEFAULT:
            places = ", ".join(map(sockets.in_words, found.sockets))
            yield (
                f"On {places} no site has the name {guest.name}: {found.block.file}:{found.block.line} answers by "
                f"chance, and {leaflet.title} is not there. Let the site of {guest.name} listen there as well"
            )
    if not guest.tls:
        yield (
            f"Proofs for certificates of {guest.name} are looked for in our directory first, then where the site "
            f"keeps its own files. Where a program behind the site answers them, choose certificates.base_domain = site"
        )


def _of_place(hosting: Hosting, place: Place) -> Iterator[str]:
    name, where = hosting.guest.name, f"{place.block.file}:{place.block.line}"
    word, title = hosting.virtual_hosts.word, hosting.virtual_hosts.proxy.title
    if place.reason:
        yield (
            f"Add this line by hand to the {word} at {where}, then reload {title}: {hosting.leaflet.words} "
            f"(palpo-installer leaves that file alone: {place.reason}). palpo-installer verify shows whether it works"
        )
    if place.reason and place.answering.by is not By.NAME:
        own = hosting.virtual_hosts.own_block(hosting.leaflet, place.block)
        yield f"Or give {name} a {word} of its own: {own}"
    for one in hosting.conflicts(place):
        if place.reason or not one.certain:
            yield f"In the site of {name}, {in_words(one)} ({one.where})"
    shared = f"www.{name}" in place.block.names and not hosting.virtual_hosts.tells_names_apart
    if shared and not place.reason:
        yield f"www.{name} is served by the same block ({where}) and answers at these paths too, which does no harm"
