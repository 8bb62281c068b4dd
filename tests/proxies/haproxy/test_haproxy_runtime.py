"""Certificates over the runtime socket of a HAProxy that runs."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from palpo_installer.errors import HostError
from palpo_installer.host import Host
from palpo_installer.proxies.base import Link
from palpo_installer.proxies.haproxy import runtime
from palpo_installer.proxies.haproxy.configuration import HAProxy, RuntimeSocket
from tests.facts.made import certificate
from tests.lab.nginx_with_neighbours import LOOPBACK
from tests.lab.pebble import running
from tests.ports import free_ports
from tests.proxies.haproxy.test_haproxy_rendering import found

NAME = "example.com"


@dataclass(frozen=True)
class Running:
    """A HAProxy that runs, the links of its certificate, and its port."""

    proxy: HAProxy
    links: tuple[Link, Link]
    port: int

    @property
    def shown(self) -> str:
        """The certificate that it shows (PEM)."""
        return ssl.get_server_certificate((LOOPBACK, self.port))

    def renew(self, name: str = NAME) -> str:
        """Write another chain and key for a name; return the certificate (PEM)."""
        chain, key = (Path(link.target) for link in self.links)
        certificate(name).write(chain, key)
        return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(chain.read_text()))


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Running]:
    """A HAProxy with a certificate by links, as we make them, and a socket for administrators."""
    (port,) = free_ports(1)
    place, link = tmp_path / "admin.sock", tmp_path / "certs/zz.pem"
    links = Link(link, str(tmp_path / "chain.pem")), Link(link.with_name("zz.pem.key"), str(tmp_path / "key.pem"))
    link.parent.mkdir()
    certificate(NAME).write(tmp_path / "chain.pem", tmp_path / "key.pem")
    for each in links:
        each.path.symlink_to(each.target)
    bind = f"bind {LOOPBACK}:{port} ssl crt CERTS\n    http-request return status 200"
    proxy = found(tmp_path, f"frontend f\n    {bind}\nglobal\n    stats socket {place} level admin\n")
    argv = (shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(tmp_path / "conf.d"))
    with running(argv, {}, port):
        yield Running(replace(proxy, sockets=(RuntimeSocket(f"unix@{place}", "admin"),)), links, port)


def test_what_is_on_disk_is_shown(haproxy: Running) -> None:
    """The renewed certificate, also where there are empty lines between its parts."""
    wanted = haproxy.renew()
    chain = Path(haproxy.links[0].target)
    chain.write_text(f"\n{chain.read_text()}\n\n")
    assert haproxy.shown != wanted
    runtime.swap(Host(), haproxy.proxy, haproxy.links)
    assert haproxy.shown == wanted


def test_a_key_that_does_not_fit_is_refused_and_never_told(haproxy: Running) -> None:
    """The certificate of before is shown on, and the next renewal is taken."""
    before, key = haproxy.shown, Path(haproxy.links[1].target)
    other = key.read_text()
    haproxy.renew()
    key.write_text(other)
    with pytest.raises(HostError, match=r"does not (take|change over to) the certificate \S+chain\.pem") as refused:
        runtime.swap(Host(), haproxy.proxy, haproxy.links)
    assert other.splitlines()[1] not in str(refused.value)
    assert haproxy.shown == before
    wanted = haproxy.renew()
    runtime.swap(Host(), haproxy.proxy, haproxy.links)
    assert haproxy.shown == wanted


def test_where_there_is_no_way_that_is_said(haproxy: Running) -> None:
    """Another level, an older HAProxy, a stopped one, a socket that is gone, a name that is not loaded."""
    proxy, (address,) = haproxy.proxy, haproxy.proxy.sockets
    for other in (
        replace(proxy, sockets=(replace(address, level="operator"),)),
        replace(proxy, sockets=(replace(address, address="ipv4@127.0.0.1:9999"),)),
        replace(proxy, version=(2, 2, 9)),
        replace(proxy, pid=None),
    ):
        with pytest.raises(HostError, match="no Unix socket of level admin"):
            runtime.swap(Host(), other, haproxy.links)
    with pytest.raises(HostError, match="does not answer: No such file"):
        runtime.swap(Host(), replace(proxy, sockets=(RuntimeSocket("/nowhere.sock", "admin"),)), haproxy.links)
    stranger = tuple(replace(each, path=each.path.with_name(f"a-{each.path.name}")) for each in haproxy.links)
    with pytest.raises(HostError, match=r"no certificate by the name \S+a-zz\.pem"):
        runtime.swap(Host(), proxy, stranger)
