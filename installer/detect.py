"""Shows the facts: for people in 80 columns, for machines as JSON."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from palpo_installer import serialization
from palpo_installer.answers import Address
from palpo_installer.facts import Facts
from palpo_installer.facts.certificates import Certificate
from palpo_installer.facts.listeners import Listener
from palpo_installer.facts.media import MediaRepository
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.facts.palpo import Palpo
from palpo_installer.facts.system import System
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.found import Listen, Proxy, ServerBlock
from palpo_installer.proxies.haproxy.configuration import HAProxy
from palpo_installer.proxies.kinds import KINDS
from palpo_installer.proxies.nginx.configuration import Nginx
from palpo_installer.proxies.standing import standings
from palpo_installer.proxies.who_answers import answering
from palpo_installer.questions.proxies import in_words

WIDTH = 80
PORTS = (80, 443)
NOW = "Who answers now"
NO_PROXY = f"none found of those that can be read: {', '.join(each.title for each in KINDS.values())}"


def as_json(facts: Facts) -> str:
    """Return the facts as JSON, which ``serialization.load`` turns into the same facts."""
    return serialization.dump(facts)


def describe(facts: Facts, now: datetime | None = None) -> str:
    """Return the facts for people: plain text, 80 columns; ``now`` is when, for the days certificates have left."""
    sections = (
        ("System", _system(facts.system)),
        (NOW, map(_listener, facts.listeners)),
        *((f"Who answers for these names in {each.title}", _asked(each, facts.names)) for each in facts.proxies),
        *((each.title, of_proxy(each)) for each in facts.proxies),
        ("Proxies", _proxies(facts)),
        ("Palpo", _palpo(facts.palpo)),
        ("Media repository", _media(facts.media)),
        ("Certificates", _certificates(facts.certificates, now or datetime.now(UTC))),
        ("Names in DNS", (line for name in facts.names for line in _name(name))),
        ("What could not be seen", iter(facts.unseen)),
    )
    shown = [(title, list(lines)) for title, lines in sections]
    return "\n".join(_section(title, lines) for title, lines in shown if lines or title == NOW)


def _proxies(facts: Facts) -> Iterator[str]:
    """Yield every proxy with what it serves now, where that is not plain from the one that there is."""
    if not facts.proxies:
        yield NO_PROXY
    if len(standings(facts)) > len(facts.proxies) or len(facts.proxies) > 1:
        yield from in_words(facts)


def _section(title: str, lines: list[str]) -> str:
    return "\n".join((title, *(_wrapped(line) for line in lines or ["nothing"]))) + "\n"


def _wrapped(line: str) -> str:
    """Return a line that fits, as far as its words do; what a terminal would act on is shown as ``?``."""
    text = "".join(character if character.isprintable() else "?" for character in line)
    indent = "  " + " " * (len(text) - len(text.lstrip()))
    return textwrap.fill(
        text.strip(),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _system(system: System) -> Iterator[str]:
    init = {"systemd": "systemd", "openrc": "OpenRC", "none": "no service manager"}[system.init]
    yield f"{system.name}, {init}, SELinux {system.selinux}"
    yield f"firewall: {', '.join(system.firewalls) or 'none seen'}"
    yield f"addresses: {', '.join(system.addresses) or 'none'}{'' if system.ipv6 else ' (no IPv6)'}"
    if not system.root:
        yield "looked at without root: processes and files may be missing"


def _asked(proxy: Proxy, names: Iterable[Name]) -> Iterator[str]:
    return who_answers_for(proxy, (name.name for name in names), PORTS)


def who_answers_for(proxy: Proxy, names: Iterable[str], ports: Iterable[int]) -> Iterator[str]:
    """Yield which site of a proxy answers for each name on each port, and why it is that one."""
    for name, port in itertools.product(dict.fromkeys(names), ports):
        for found in answering(proxy, name, port):
            yield f"{name} today: {found}"


def _listener(listener: Listener) -> str:
    where = _socket(listener.address, listener.port)
    both = " (IPv4 too)" if listener.both_families else ""
    number = f", process {listener.pid}" if listener.pid is not None and (listener.unit or listener.container) else ""
    return f"{where}{both}".ljust(28) + f" {listener.owner}{number}"


def _socket(address: str, port: int) -> str:
    return str(Address(address, port)) if port else address


def of_proxy(proxy: Proxy) -> Iterator[str]:
    """Yield what a proxy is and serves, alike for all of them."""
    running = "stopped" if proxy.pid is None else f"runs as process {proxy.pid}"
    unit = f", {proxy.unit} ({'starts' if proxy.unit_enabled else 'does not start'} at boot)" if proxy.unit else ""
    yield f"{proxy.version_in_words}, {proxy.binary}, {running}{unit}"
    yield f"configuration: {proxy.configuration}"
    yield from _of_its_own(proxy)
    for server in proxy.servers:
        yield from _site(server)
    for listen in proxy.streams:
        yield f"passes TCP or UDP on: {_listen(listen)}  ({listen.file}:{listen.line})"
    for problem in proxy.problems:
        yield f"cannot be read: {problem.file}:{problem.line}: {problem.message}"


def _of_its_own(proxy: Proxy) -> Iterator[str]:
    """Yield what only this kind of proxy has."""
    match proxy:
        case Nginx() | Apache():
            for include in proxy.includes:
                yield f"includes: {include.directory}/{include.pattern}  ({include.file}:{include.line})"
        case HAProxy():
            yield f"loads: {', '.join(map(str, proxy.loads))}"


def _site(server: ServerBlock) -> Iterator[str]:
    yield f"site: {' '.join(server.names) or 'no name'}  ({server.file}:{server.line})"
    yield f"  on {', '.join(dict.fromkeys(map(_listen, server.listens)))}"


def _listen(listen: Listen) -> str:
    both = "ipv6only=off"
    words = (option for option in listen.options if option != both)
    return " ".join((_socket(listen.address, listen.port), *words, *(["(IPv4 too)"] if both in listen.options else [])))


def _palpo(palpo: Palpo) -> Iterator[str]:
    match palpo.runs_as:
        case "unit":
            yield f"service {palpo.unit}, as {palpo.user}:{palpo.group}" if palpo.user else f"service {palpo.unit}"
        case "container":
            yield f"container {palpo.container}{f' of {palpo.runtime}' if palpo.runtime else ''}"
        case "process":
            yield "runs, started by hand"
        case "stopped":
            yield "no service, container or process found"
    if palpo.answers_at:
        yield f"answers at {palpo.answers_at}, version {palpo.version or 'not told'}"
    for found in palpo.configurations:
        name = f"server name {found.server_name}" if found.server_name else "no server name"
        on = f", listens on {', '.join(found.listeners)}" if found.listeners else ""
        yield f"{found.path}: {found.problem or name + on}"


def _media(media: MediaRepository | None) -> Iterator[str]:
    if media is None:
        return
    who = f"container {media.container}" if media.container else media.unit or "matrix-media-repo"
    yield f"{who}, {'runs' if media.running else 'does not run'}{f', at {media.address}' if media.address else ''}"
    if media.configuration is not None:
        names = ", ".join(each.name for each in media.configuration.served) or "nobody"
        yield f"{media.configuration.path}: {media.configuration.problem or f'serves {names}'}"


def _certificates(certificates: Iterable[Certificate], now: datetime) -> Iterator[str]:
    for certificate in certificates:
        names = ", ".join(certificate.names) or "no names"
        yield f"{names}: {_lifetime(certificate, now)}, by {certificate.issuer}"
        yield f"  {certificate.chain}{'' if certificate.matches_key is not False else ' - its key does not match'}"


def _lifetime(certificate: Certificate, now: datetime) -> str:
    if now < certificate.not_before:
        return f"not valid before {certificate.not_before:%Y-%m-%d}"
    days = (certificate.not_after - now).days
    if now > certificate.not_after:
        return f"expired on {certificate.not_after:%Y-%m-%d}"
    return f"{days} {'day' if days == 1 else 'days'} left"


def _name(name: Name) -> Iterator[str]:
    if name.problem:
        yield f"{name.name}: {name.problem}"
        return
    alias = f"alias of {name.alias}, " if name.alias else ""
    yield f"{name.name}: {alias}{', '.join(name.addresses) or 'no address'}"
    for service, records in (("_matrix-fed._tcp", name.federation), ("_matrix._tcp", name.federation_old)):
        if records:
            yield f"  {service}: {', '.join(map(_record, records))}"
    if name.caa:
        yield f"  CAA: {', '.join(name.caa)}"


def _record(record: ServiceRecord) -> str:
    return f"{record.target}:{record.port} (priority {record.priority}, weight {record.weight})"
