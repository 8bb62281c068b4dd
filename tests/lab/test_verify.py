"""verify on a real nginx with TLS and a homeserver that signs: all right, then one thing broken at a time."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from palpo_installer.answers import Answers, BaseDomain, CertificateFiles, Delegation
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.verify import Report, describe, trusting, verify
from palpo_installer.verify.checks_targets import targets
from palpo_installer.verify.report import Check, Result
from tests.ports import free_ports
from tests.verify.standin import Homeserver, key_document, running
from tests.verify.worlds import BASE, CLIENT, Authority, Zone, authority, choices, dns_name, service, zone

HERE = "127.0.0.1"
REFUSAL = '{"errcode":"M_UNRECOGNIZED","error":"Nothing is served here"}'
FEDERATION_REFUSAL = '{"errcode":"M_FORBIDDEN","error":"This server does not federate"}'


@dataclass
class Proxy:
    """What nginx serves; each field is one thing that a test breaks."""

    http: int
    https: int
    federation: int
    upstream: int
    certificates: dict[str, CertificateFiles]
    marker: str = "abc"
    cors: str = "add_header Access-Control-Allow-Origin *;"
    media_type: str = "application/json"
    base_url: str = ""
    server_well_known: str = ""
    passed: str = "/_matrix/"
    to: str = ""
    forwarded_headers: str = ""
    refused: tuple[str, ...] = ()
    otherwise: str = ""
    on_federation_port: bool = False

    def configuration(self, directory: Path) -> str:
        """Return nginx.conf."""
        tls = [self.server(CLIENT, self.https, self.discovery + self.api)]
        tls.append(self.server(BASE, self.https, self.discovery))
        if self.on_federation_port:
            tls.append(self.server(BASE, self.federation, self.api))
        plain = f"server {{ listen {HERE}:{self.http}; server_name {BASE} {CLIENT}; {self.shown} }}"
        temporary = "".join(
            f"{kind}_temp_path {directory}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            f"daemon off;\nuser root;\npid {directory}/pid;\nerror_log {directory}/error.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}{plain}\n{''.join(tls)}}}\n"
        )

    def server(self, name: str, port: int, locations: str) -> str:
        """Return one server block with TLS."""
        files = self.certificates[name]
        return (
            f"server {{ listen {HERE}:{port} ssl; server_name {name}; {self.shown}\n"
            f"ssl_certificate {files.chain}; ssl_certificate_key {files.key};\n{locations}"
            f"location / {{ {self.otherwise} default_type application/json; return 404 '{REFUSAL}'; }} }}\n"
        )

    @property
    def shown(self) -> str:
        """The marker."""
        header = f"add_header Palpo-Installer {self.marker} always;" if self.marker else ""
        return f"location = /.well-known/palpo-installer {{ {header} return 204; }}\n"

    @property
    def discovery(self) -> str:
        """The well-known answers."""
        url = self.base_url or f"https://{CLIENT}:{self.https}"
        client = (
            f"location = /.well-known/matrix/client {{ default_type {self.media_type}; {self.cors} "
            f'return 200 \'{{"m.homeserver":{{"base_url":"{url}"}}}}\'; }}\n'
        )
        if not self.server_well_known:
            return client
        document = f'{{"m.server":"{self.server_well_known}"}}'
        return client + f"location = /.well-known/matrix/server {{ return 200 '{document}'; }}\n"

    @property
    def api(self) -> str:
        """What is passed on."""
        refused = "".join(
            f"location ^~ {path} {{ default_type application/json; return 403 '{FEDERATION_REFUSAL}'; }}\n"
            for path in self.refused
        )
        there = f"proxy_pass http://{HERE}:{self.upstream}{self.to}; {self.forwarded_headers}"
        return f"{refused}location ^~ {self.passed} {{ {there} }}\n"


@dataclass
class World:
    """A host with a proxy and a homeserver, and what DNS says of it."""

    answers: Answers
    layout: Layout
    proxy: Proxy
    homeserver: Homeserver
    authority: Authority
    lookup: Zone
    chains: dict[str, Path]
    directory: Path
    checks: dict[str, Check] = field(default_factory=dict)

    def look(self) -> Report:
        """Start nginx with the configuration as it is now, and verify."""
        with serving(self.proxy, self.directory):
            return self.verify()

    def verify(self) -> Report:
        """Verify without a proxy of our own."""
        site, trust = build(self.answers, self.layout), trusting(self.authority.file)
        return verify(self.answers, site, Host(self.layout), self.lookup, trust, chains=self.chains)


@contextmanager
def serving(proxy: Proxy, directory: Path) -> Iterator[None]:
    """Run nginx until the end of the block."""
    configuration = directory / "nginx.conf"
    configuration.write_text(proxy.configuration(directory))
    log = str(directory / "error.log")
    with subprocess.Popen(["/usr/sbin/nginx", "-e", log, "-p", str(directory), "-c", str(configuration)]) as nginx:
        try:
            until_listening(proxy.https, nginx, directory / "error.log")
            yield
        finally:
            nginx.terminate()


def until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a port takes connections."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex((HERE, port)) == 0:
                return
        time.sleep(0.01)
    pytest.fail(f"nginx does not listen: {log.read_text()}")


Make = Callable[..., World]


@pytest.fixture(scope="module")
def lab_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that no system knows."""
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def make(tmp_path: Path, lab_authority: Authority) -> Iterator[Make]:
    """Make a world in which everything is right."""
    http, https, federation = free_ports(3)
    with running(Homeserver(key_document(BASE))) as homeserver:

        def world(delegation: Delegation = Delegation.WELL_KNOWN, **others: BaseDomain) -> World:
            files = {name: lab_authority.issue(name) for name in (BASE, CLIENT)}
            ported = delegation is Delegation.DIRECT
            server_name = f"{BASE}:{federation}" if ported else BASE
            homeserver.keys = key_document(server_name)
            answers = choices(
                delegation,
                server_name=server_name,
                port=federation,
                upstream=homeserver.port,
                files=files,
                **others,
            )
            proxy = Proxy(http, https, federation, homeserver.port, files)
            proxy.on_federation_port = delegation in {Delegation.SRV, Delegation.DIRECT}
            if delegation is Delegation.WELL_KNOWN:
                proxy.server_well_known = f"{CLIENT}:{https}"
            if delegation is Delegation.NONE:
                proxy.refused = ("/_matrix/federation", "/_matrix/key", "/_matrix/policy")
            records = service(federation) if delegation is Delegation.SRV else ()
            base = dns_name(BASE, HERE, federation=records, federation_old=records)
            layout = Layout(root=tmp_path, http_port=http, https_port=https, addresses=(HERE,))
            chains = {name: there.chain for name, there in files.items()}
            lookup = zone(base, dns_name(CLIENT, HERE))
            return World(answers, layout, proxy, homeserver, lab_authority, lookup, chains, tmp_path)

        yield world


def failures(report: Report) -> dict[str, str]:
    """Return the sentences of the failed checks by their names; each says what to do."""
    assert all(check.next for check in report.failures)
    return {check.name: check.what for check in report.failures}


def the_failure(report: Report, name: str) -> str:
    """Return the sentence of the only check that failed."""
    found = failures(report)
    assert set(found) == {name}, describe(report)
    return found[name]


@pytest.mark.parametrize("delegation", Delegation)
def test_everything_right(make: Make, delegation: Delegation) -> None:
    """Nothing fails; what stays open is only what Palpo's answers cannot show."""
    report = make(delegation).look()
    assert failures(report) == {}, describe(report)
    assert {check.name for check in report.checks if check.result is Result.CANNOT_TELL} == {"request targets"}
    passed = {check.name for check in report.checks if check.result is Result.PASS}
    common = {"name", "connection", "certificate", "client well-known", "homeserver", "client API", "closed paths"}
    federation = {
        Delegation.WELL_KNOWN: {"server well-known", "discovery", "server keys"},
        Delegation.SRV: {"server well-known", "service records", "discovery", "server keys"},
        Delegation.DIRECT: {"discovery", "server keys"},
        Delegation.NONE: {"federation off"},
    }
    assert passed == common | {"request targets"} | federation[delegation]


def test_wrong_certificate(make: Make) -> None:
    """A certificate for another name is named, with the name it is for."""
    world = make()
    world.proxy.certificates = {
        **world.proxy.certificates,
        CLIENT: world.authority.issue("other.example", to="wrong"),
    }
    world.chains.pop(CLIENT)
    sentence = the_failure(world.look(), "certificate")
    assert f"it is not for {CLIENT}" in sentence
    assert "other.example" in sentence


def test_expired_certificate(make: Make) -> None:
    """An expired certificate is named as that."""
    world = make()
    world.proxy.certificates = {
        **world.proxy.certificates,
        CLIENT: world.authority.issue(CLIENT, days=-1, to="old"),
    }
    assert "it has expired" in the_failure(world.look(), "certificate")


def test_certificate_of_the_base_domain(make: Make) -> None:
    """Where the base domain's certificate is wrong, discovery waits for it and is no second failure."""
    world = make()
    world.proxy.certificates = {
        **world.proxy.certificates,
        BASE: world.authority.issue("other.example", to="wrong"),
    }
    report = world.look()
    assert f"it is not for {BASE}" in the_failure(report, "certificate")
    open_ = {check.name: check.what for check in report.checks if check.result is Result.CANNOT_TELL}
    assert "its certificate: it is not for example.com" in open_["discovery"]
    assert "server keys" in open_


def test_unknown_authority(make: Make, tmp_path: Path) -> None:
    """An authority that is not trusted fails every certificate, and nothing that rests on answers alone."""
    world = make()
    (tmp_path / "other").mkdir()
    world.authority = authority(tmp_path / "other")
    sentence = the_failure(world.look(), "certificate")
    assert "authority is not one that is trusted" in sentence


def test_renewed_but_not_served(make: Make) -> None:
    """A certificate that was renewed on disk and not taken up by the proxy fails, though it is still valid."""
    world = make()
    world.chains[CLIENT] = world.authority.issue(CLIENT, to="renewed").chain
    assert "is not the one on disk" in the_failure(world.look(), "certificate")


@pytest.mark.parametrize(
    ("field_", "value", "cause"),
    [
        ("cors", "", "Access-Control-Allow-Origin is missing"),
        ("cors", "add_header Access-Control-Allow-Origin *;" * 2, "comes 2 times"),
        ("media_type", "text/plain", "its Content-Type is text/plain instead of application/json"),
        ("base_url", "http://example.com", "base_url is 'http://example.com' instead of"),
    ],
)
def test_client_well_known(make: Make, field_: str, value: str, cause: str) -> None:
    """What keeps web clients from the client well-known answer is named."""
    world = make()
    setattr(world.proxy, field_, value)
    assert cause in the_failure(world.look(), "client well-known")


def test_double_cors_on_the_api(make: Make) -> None:
    """A proxy that adds the header which Palpo sends already is caught."""
    world = make()
    world.proxy.forwarded_headers = "add_header Access-Control-Allow-Origin * always;"
    assert "comes 2 times" in the_failure(world.look(), "client API")


def test_delegation_to_another_port(make: Make) -> None:
    """A server well-known answer that leads elsewhere is one failure; the rest of federation waits for it."""
    world = make()
    world.proxy.server_well_known = f"{CLIENT}:1"
    report = world.look()
    assert f"it delegates to {CLIENT}:1 instead of {CLIENT}:{world.proxy.https}" in the_failure(
        report, "server well-known"
    )
    assert {"discovery", "server keys"} <= {c.name for c in report.checks if c.result is Result.CANNOT_TELL}


def test_valid_well_known_shadows_srv(make: Make) -> None:
    """With the delegation srv, a valid server well-known answer is the failure, and says why."""
    world = make(Delegation.SRV)
    world.proxy.server_well_known = f"{CLIENT}:{world.proxy.https}"
    sentence = the_failure(world.look(), "server well-known")
    assert "valid answer" in sentence
    assert "never look at the SRV records" in sentence


def test_missing_srv_record(make: Make) -> None:
    """A missing SRV record fails with the line to add."""
    world = make(Delegation.SRV)
    world.lookup = zone(
        dns_name(BASE, HERE, federation_old=service(world.proxy.federation)), world.lookup.names[CLIENT]
    )
    report = world.look()
    assert "_matrix-fed._tcp.example.com is missing" in the_failure(report, "service records")
    assert f"_matrix-fed._tcp.example.com. IN SRV 10 0 {world.proxy.federation} {CLIENT}." in describe(report)


def test_open_admin_path(make: Make) -> None:
    """A proxy that passes everything on opens the administration, and health with it."""
    world = make()
    world.proxy.passed = "/_"
    sentence = the_failure(world.look(), "closed paths")
    assert "The homeserver answers /_palpo/admin" in sentence


def test_admin_path_through_dots(make: Make) -> None:
    """A proxy that judges a path by its beginning, as HAProxy does, passes the administration on behind dots."""
    world = make()
    upstream = f"http://{HERE}:{world.proxy.upstream}"
    world.proxy.otherwise = f"if ($request_uri ~ ^/_matrix/) {{ break; proxy_pass {upstream}; }}"
    sentence = the_failure(world.look(), "closed paths")
    assert "/_matrix/../_palpo/admin/v1/users" in sentence


def test_decoded_targets(make: Make) -> None:
    """The trap of nginx, a path in ``proxy_pass``, fails exactly the check of request targets."""
    world = make()
    world.proxy.to = "/_matrix/"
    report = world.look()
    sentence = the_failure(report, "request targets")
    assert "Not as they were sent: encoded slashes, lower-case encoded slashes, dot segments" in sentence
    assert "%2Fx%3Aexample.com arrives as /_matrix" in sentence
    assert "proxy_pass" in report.failures[0].next


@pytest.mark.parametrize(
    ("keys", "cause"),
    [
        (lambda: key_document(BASE, signer=Ed25519PrivateKey.generate()), "does not fit the key that it publishes"),
        (lambda: key_document("other.example"), "it is the homeserver other.example, not example.com"),
        (lambda: key_document(BASE, valid_until=1), "its keys were valid until 1970-01-01 only"),
    ],
)
def test_server_keys(make: Make, keys: Callable[[], dict[str, object]], cause: str) -> None:
    """Keys that no other server would accept are the one failure, with the cause."""
    world = make()
    world.homeserver.keys = keys()
    assert cause in the_failure(world.look(), "server keys")


def test_federation_open_though_off(make: Make) -> None:
    """With the delegation none, keys that are still served are found, and their path is not closed."""
    world = make(Delegation.NONE)
    world.proxy.refused = ()
    found = failures(world.look())
    assert set(found) == {"federation off", "closed paths"}
    assert "The homeserver answers /_matrix/federation" in found["closed paths"]


def test_another_homeserver(make: Make) -> None:
    """Another software at the upstream is named."""
    world = make()
    world.homeserver.fingerprint = {"name": "Synapse", "version": "1.150.0"}
    assert "is Synapse 1.150.0, not Palpo" in the_failure(world.look(), "homeserver")


def test_palpo_stopped(make: Make) -> None:
    """A stopped Palpo is one failure that says what to do; what needs it is not checked and says so once."""
    world = make()
    unused = free_ports(1)[0]
    upstream = replace(world.answers.homeserver.upstream, port=unused)
    world.answers = replace(world.answers, homeserver=replace(world.answers.homeserver, upstream=upstream))
    world.proxy.upstream = unused
    report = world.look()
    assert f"Palpo does not answer at {HERE}:{unused} (refused)" in the_failure(report, "homeserver")
    assert [check.name for check in report.checks if check.result is Result.CANNOT_TELL] == ["through the proxy"]


def test_proxy_without_way_to_palpo(make: Make) -> None:
    """A proxy that does not get through to a Palpo that runs is told apart from a stopped Palpo."""
    world = make(Delegation.NONE)
    world.proxy.upstream = free_ports(1)[0]
    found = failures(world.look())
    assert "The proxy answers 502" in found["client API"]
    assert "homeserver" not in found


def test_proxy_stopped(make: Make) -> None:
    """With nothing listening, each address is a failure of the connection, and no other check makes it twice."""
    report = make().verify()
    sentence = the_failure(report, "connection")
    assert "This machine does not answer on port" in sentence


def test_another_site_takes_the_name(make: Make) -> None:
    """An address that answers without the marker is another site's."""
    world = make()
    world.proxy.marker = ""
    assert "Another site of this machine answers for" in the_failure(world.look(), "connection")


def test_without_dns(make: Make) -> None:
    """Without addresses in DNS everything else is still checked, at this machine's own sockets."""
    world = make(Delegation.NONE)
    world.lookup = zone()
    report = world.look()
    assert the_failure(report, "name") == f"{BASE} has no address in DNS."
    assert "closed paths" in {check.name for check in report.checks if check.result is Result.PASS}


def test_website_elsewhere(make: Make) -> None:
    """For a base domain that another machine serves, the exact document to publish is given."""
    world = make(base_domain=BaseDomain.ELSEWHERE)
    world.proxy.cors = ""
    world.proxy.marker = "other"
    report = world.look()
    assert "Access-Control-Allow-Origin is missing" in the_failure(report, "client well-known")
    assert f'{{"m.homeserver":{{"base_url":"https://{CLIENT}:{world.proxy.https}"}}}}' in describe(report)


def test_every_target_arrives_as_it_was_sent(make: Make) -> None:
    """Through the right configuration the homeserver sees each target as the check sent it, byte for byte."""
    world = make()
    world.look()
    for target in targets(BASE):
        assert world.homeserver.seen.count(target.sent) >= 2
