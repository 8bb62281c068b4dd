"""Reads nginx's configuration for the audit, and asks every rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from palpo_installer.audit import (
    nginx_challenges,
    nginx_exposure,
    nginx_federation,
    nginx_headers,
    nginx_limits,
    nginx_media,
    nginx_targets,
    nginx_well_known,
)
from palpo_installer.audit.documents import PATHS, document, files_named
from palpo_installer.audit.finding import Finding, Proxied, Unread
from palpo_installer.audit.known import Known
from palpo_installer.audit.leaves import Leaf, placed
from palpo_installer.audit.leaves import read as read_leaf
from palpo_installer.audit.nginx_reading import MatrixSite, matrix_sites
from palpo_installer.audit.palpo import Read as Homeserver
from palpo_installer.audit.passing import LOOPBACK, believes_forwarded, homeserver_ports
from palpo_installer.errors import HostError
from palpo_installer.facts import Facts
from palpo_installer.host import Host
from palpo_installer.proxies.nginx.blocks import compiled
from palpo_installer.proxies.nginx.copies import MAIN, Written, addresses, load
from palpo_installer.proxies.sockets import is_address

Note = Callable[[Unread], None]
Rule = Callable[[MatrixSite, Known], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    nginx_targets.decoded_target,
    nginx_targets.rewritten_target,
    nginx_targets.several_peers,
    nginx_targets.unix_socket,
    nginx_targets.segment_boundary,
    nginx_headers.forwarded_for,
    nginx_headers.client_headers,
    nginx_headers.host_header,
    nginx_headers.doubled_cors,
    nginx_media.media_passed,
    nginx_limits.upload_limit,
    nginx_limits.read_timeout,
    nginx_limits.header_limit,
    nginx_limits.http2,
    nginx_limits.kept_connections,
    nginx_limits.unlimited_logins,
    nginx_well_known.invalid,
    nginx_well_known.without_cors,
    nginx_well_known.wrong_type,
    nginx_well_known.redirected,
    nginx_well_known.misplaced,
    nginx_well_known.bogus_server,
    nginx_well_known.portless,
    nginx_well_known.shadows_srv,
    nginx_exposure.admin_exposed,
    nginx_exposure.admin_through_dots,
    nginx_exposure.everything_passed_on,
    nginx_exposure.merge_slashes,
    nginx_exposure.federation_default,
    nginx_federation.certificate_of_federation,
    nginx_federation.port_missing,
    nginx_federation.one_family,
    nginx_federation.certificates,
    nginx_challenges.swallowed_challenge,
)
"""Every rule about nginx."""


def read(host: Host, facts: Facts, homeserver: Homeserver, note: Note, now: datetime) -> Proxied:
    """Return what there is to say of nginx's configuration."""
    main = facts.nginx.configuration if facts.nginx else host.layout.at(MAIN)
    if host.status(main) is None:
        return Proxied()
    written = load(host, main)
    for problem in written.problems:
        note(Unread(f"{problem.file}:{problem.line}", problem.message, "Run the audit as root, or correct it"))
    known = _known(host, facts, homeserver, written, note, now)
    for pattern in _not_understood(known.sites):
        note(pattern)
    findings = tuple(finding for site in known.sites for rule in RULES for finding in rule(site, known))
    return Proxied(findings, tuple(_described(known.sites)), frozenset(_passed_documents(known)))


def _known(host: Host, facts: Facts, homeserver: Homeserver, written: Written, note: Note, now: datetime) -> Known:
    named = frozenset({homeserver.server_name} - {""})
    sites = matrix_sites(written.servers, _addresses_of(facts), named)
    leaves = dict(_leaves(host, sites, note))
    return Known(
        server_name=homeserver.server_name,
        sites=sites,
        servers=written.servers,
        version=facts.nginx.version if facts.nginx else None,
        addresses=dict(_resolved(host, sites, note)),
        leaves=leaves,
        homeserver=homeserver.file.values if homeserver.file else {},
        services={each.name: each.federation or each.federation_old for each in facts.names if not each.problem},
        now=now,
        documents=dict(_documents(host, sites, note)),
        http_port=host.layout.http_port,
        https_port=host.layout.https_port,
        homeserver_ports=homeserver_ports(facts),
        believes_forwarded=believes_forwarded(facts),
    )


def _addresses_of(facts: Facts) -> frozenset[tuple[str, int]]:
    """Return where the homeserver may be reached on this host."""
    return frozenset((host, port) for host in LOOPBACK for port in homeserver_ports(facts))


def _resolved(host: Host, sites: Iterable[MatrixSite], note: Note) -> Iterator[tuple[str, tuple[str, ...]]]:
    names = dict.fromkeys(peer.host for site in sites for each in site.passages for peer in each.peers)
    for name in names:
        if is_address(name) or name.startswith("unix:"):
            continue
        found = addresses(host, name)
        if found:
            yield name, found
        else:
            note(Unread(f"the name {name}", "nginx passes requests on to it, and what it stands for is not known here"))


def _leaves(host: Host, sites: Iterable[MatrixSite], note: Note) -> Iterator[tuple[str, Leaf]]:
    pairs = (pair for site in sites for pair in zip(site.server.said.certificates, site.server.said.keys, strict=False))
    for chain, key in dict.fromkeys(pairs):
        if not chain.startswith("/") or "$" in chain + key:
            note(Unread(f"the certificate {chain[:40]}", "it is none of a fixed file"))
        elif (leaf := read_leaf(host, chain, key, note)) is not None:
            yield chain, leaf


def _documents(host: Host, sites: Iterable[MatrixSite], note: Note) -> Iterator[tuple[Path, bytes]]:
    for file in files_named(site.server for site in sites):
        try:
            data = host.read(placed(host, str(file)))
        except HostError as error:
            note(Unread(f"the document {file}", error.what, "Run the audit as root"))
            continue
        if data is not None:
            yield file, data


def _passed_documents(known: Known) -> Iterator[str]:
    for site in known.sites:
        for kind in PATHS:
            found = document(site.server, kind, known.documents) if site.server.listens_on(known.https_port) else None
            if found is not None and found.passed_on:
                yield kind


def _described(sites: Iterable[MatrixSite]) -> Iterator[str]:
    for site in sites:
        ports = ", ".join(dict.fromkeys(str(each.port) for each in site.server.said.listens))
        what = "passes Matrix requests on" if site.passages else "answers for Matrix"
        place = site.block.directive
        yield f"nginx, {site.name} on {ports}: {what} ({place.file}:{place.line})"


def _not_understood(sites: Iterable[MatrixSite]) -> Iterator[Unread]:
    """Yield the locations whose patterns are not understood here, so that what they answer is not known."""
    for site in sites:
        for each in site.block.below:
            if each.modifier in {"~", "~*"} and compiled(each.path) is None:
                place = each.directive
                yield Unread(f"{place.file}:{place.line}", "the pattern of this location is not understood here")
