"""A site as two files of Apache: port 80, and the TLS ports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from palpo_installer.answers import Address
from palpo_installer.facts.system import System
from palpo_installer.proxies import templates
from palpo_installer.proxies.apache import ahead, expressions, listens, modules
from palpo_installer.proxies.apache.configuration import Apache
from palpo_installer.proxies.apache.listens import Neighbours
from palpo_installer.proxies.apache.placement import Placement, place
from palpo_installer.proxies.apache.servers import Server, refusals
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Expectation, Part, Rendering
from palpo_installer.proxies.found import ServerBlock
from palpo_installer.proxies.halves import certificate, literal, title
from palpo_installer.proxies.placement import PLAIN, SECURE
from palpo_installer.site import CHALLENGE_PATH, Challenge, FixedJson, Forward, Site

HEAD_ROOM = 256
"""Bytes of a header line beside its value: its name, and what Apache reads to see that it ends."""

UNCOUNTED = (
    "Apache passes on bodies of any size where a request does not say how long its body is (chunked): Palpo refuses "
    "those itself that are too large, and their senders read 502 instead of 413"
)
FAILED_LOGIN = r'^(?:\S+:\d+ )?<HOST> .*"POST /_matrix/client/[^" ]*/login[^" ]* [^"]*" 403\b'
"""A login that Palpo refused, in Apache's access log: a ``failregex`` of fail2ban, for both usual formats."""

UNLIMITED = (
    "Apache cannot count the logins of each client: Palpo's own limits on logins, registrations and password checks "
    "stay on in palpo.toml, raised, since they count all clients together. To shut out a client that tries passwords, "
    f"let fail2ban read Apache's access log, with failregex = {FAILED_LOGIN}"
)


def render(apache: Apache, assignment: Assignment) -> Rendering:
    """Return both files, and what every bound address must show once they are live.

    Args:
        apache: what is served now; our own files of an earlier run may be among it.
        assignment: what must be served.

    Raises:
        RefusedPlan: Apache has no place for our files, somebody else has a name or a port, a module is not
            installed, a line for the whole server comes before ours, or a word of the site cannot be written in
            Apache's language.
    """
    placement = place(apache)
    servers = _servers(apache, assignment, placement)
    plain = [each for each in servers if not each.host.tls]
    secure = [each for each in servers if each.host.tls]
    doors = dict.fromkeys(each.door for each in servers)
    limited = any(route.limit for each in servers for route in each.forwards)
    return Rendering(
        plain=part(PLAIN, "apache-http.conf.j2", placement, plain, apache, assignment),
        secure=part(SECURE, "apache-tls.conf.j2", placement, secure, apache, assignment),
        findings=(
            *listens.findings(doors, assignment.layout.addresses),
            *header_findings(secure, apache, assignment.site, placement),
            *((UNLIMITED,) if limited else ()),
            *((UNCOUNTED,) if any(each.forwards for each in servers) else ()),
        ),
    )


def _servers(apache: Apache, assignment: Assignment, placement: Placement) -> list[Server]:
    """Return the virtual hosts of a site beside those that are there.

    Raises:
        RefusedPlan: somebody else has a name or a port, or a line for the whole server comes before ours.
    """
    site = assignment.site
    ahead.refuse(apache.awake.everywhere, answered(site))
    neighbours = beside(apache, placement, assignment.taken)
    doors = {}
    for port, tls in site.ports:
        listens.refuse_other_protocol(port, neighbours, tls=tls)
        doors[port] = listens.door(port, neighbours, assignment.system, assignment.layout)
    servers = []
    for host in site.virtual_hosts:
        listens.refuse_taken_name(host, neighbours)
        listens.refuse_default_place(host, neighbours, placement)
        files = certificate(host, assignment.certificates)
        servers.append(Server(host, doors[host.port], files, tuple(refusals(host))))
    return servers


def answered(site: Site) -> Iterator[str]:
    """Yield a path of each kind that a site answers."""
    for route in (each for host in site.virtual_hosts for each in host.routes):
        match route:
            case Forward(match=match):
                yield f"{match.path.replace('*', 'x').rstrip('/')}/x"
            case FixedJson(path=path):
                yield path
            case Challenge():
                yield f"{CHALLENGE_PATH}/x"


def beside(apache: Apache, placement: Placement, taken: Collection[ServerBlock]) -> Neighbours:
    """Return what is served without us."""
    servers = tuple(each for each in apache.awake.servers if not placement.owns(each.file) and each not in taken)
    return Neighbours(
        servers,
        tuple(each for each in apache.awake.listens if not placement.owns(each.file)),
        frozenset((each.address, each.port) for each in apache.listens if not placement.owns(each.file)),
        apache.configuration,
    )


def part(
    name: str,
    template: str,
    placement: Placement,
    servers: Sequence[Server],
    apache: Apache,
    assignment: Assignment,
) -> Part:
    """Return one file with its proof, and the links that load the modules it needs."""
    hosts = [each.host for each in servers]
    http2 = name == SECURE and modules.has_http2(apache)
    names = (*modules.SECURE, *((modules.HTTP2,) if http2 else ())) if name == SECURE else modules.PLAIN
    loading = modules.loading(apache, names)
    doors = tuple(dict.fromkeys(each.door for each in servers))
    text = templates.render(
        template,
        servers=servers,
        site=assignment.site,
        loading=loading.lines,
        listens=listens.own_listens(doors),
        stand_ins=[each for each in doors if each.stand_in],
        http2=http2,
        origin=expressions.ORIGIN,
        bare=expressions.bare,
        quoted=expressions.quoted,
        document=expressions.document,
        exactly=expressions.exactly,
        refusal=expressions.refusal,
        passed_on=expressions.passed_on,
        usual=expressions.usual,
        told_apart=expressions.told_apart,
        misread=expressions.misread,
        here=expressions.here,
        upstream=upstream,
    )
    limits = templates.render("apache-limits.conf.j2", header_limit=assignment.site.header_limit + HEAD_ROOM)
    wanted = name == SECURE and not any(apache.header_limits)
    texts, marker = templates.with_marker([text, *([limits] if wanted else [])])
    files, links = placement.installed(name, texts[0])
    early, early_links = placement.limits(texts[1]) if wanted else ((), ())
    links = (*loading.links, *early_links, *links)
    return Part(title(hosts), (*early, *files), links, tuple(expectations(servers, marker, assignment.system)))


def upstream(address: Address) -> str:
    """Return an upstream as the beginning of an URL.

    Raises:
        RefusedPlan: it is no IP address: a name can stand for several, of which only one answers.
    """
    ip = literal(address)
    return f"http://[{ip}]:{address.port}" if ip.version == 6 else f"http://{ip}:{address.port}"


def expectations(servers: Iterable[Server], marker: str, system: System) -> Iterable[Expectation]:
    """Return what each address must show for each name."""
    for server in servers:
        host, chain = server.host, server.certificate.chain if server.certificate else None
        for address in server.door.reached(system):
            yield Expectation(address, host.port, host.tls, host.name, marker, chain, server.door.balanced)


def header_findings(servers: Sequence[Server], apache: Apache, site: Site, placement: Placement) -> Iterator[str]:
    """Yield what becomes of long header lines: on a shared address Apache takes the limits of its first site."""
    usual = [] if placement.early else [8190]
    set_there = [each for each in apache.header_limits if each] or usual
    shared = any(socket.shared for each in servers for socket in each.door.sockets)
    if set_there and min(set_there) < site.header_limit:
        yield (
            f"Header lines may have {min(set_there)} bytes, as the main server says (LimitRequestLine, "
            f"LimitRequestFieldSize): other servers' requests with longer ones, up to {site.header_limit}, are refused"
        )
    elif shared and not set_there:
        yield (
            f"Header lines may have {site.header_limit} bytes on every site of this Apache that says nothing else: it "
            "reads them before it knows which site is asked for"
        )
