from __future__ import annotations

from palpo_installer.facts import Facts
from palpo_installer.serialization import load
from tests.lab.hosts import ThrowAwayHost
from tests.lab.services import configure_nginx

GATHER = (
    "from palpo_installer.detect import as_json\n"
    "from palpo_installer.facts import gather\n"
    "from palpo_installer.host import Host\n"
    "print(as_json(gather(Host(), ('example.com', 'absent.example.com'))))\n"
)
PRIVATE = """
pid /run/private.pid;
error_log /run/private.log;
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:18080;
        listen [::]:18081 ipv6only=off;
        server_name private.example;
    }
}
"""


def facts(host: ThrowAwayHost) -> Facts:
    """Return the facts, gathered on the host itself."""
    return load(host.output([host.python, "-c", GATHER]), Facts)


def own_pid(host: ThrowAwayHost, pid_file: str) -> int:
    """Return the number a program wrote, as the host counts."""
    return int(host.read(pid_file))


def test_debians_running_nginx_is_found_with_its_sockets(nginx: ThrowAwayHost) -> None:
    """Master, listeners and sites agree: each socket of the configuration is one that the master holds."""
    found = facts(nginx)
    assert found.nginx is not None
    assert found.nginx.pid == own_pid(nginx, "/run/nginx.pid")
    configured = {(listen.address, listen.port) for site in found.nginx.servers for listen in site.listens}
    held = {(each.address, each.port) for each in found.listeners if each.pid == found.nginx.pid}
    assert configured == held
    assert {each.process for each in found.listeners if each.port in {80, 443}} == {"nginx"}


def test_an_nginx_with_a_configuration_of_its_own_is_found(host: ThrowAwayHost) -> None:
    """The running master's -c counts, not the file that was compiled in."""
    host.write("/srv/private/nginx.conf", PRIVATE)
    host.output(["nginx", "-c", "/srv/private/nginx.conf"])
    host.until_listening(18081)
    found = facts(host)
    assert found.nginx is not None
    assert str(found.nginx.configuration) == "/srv/private/nginx.conf"
    assert found.nginx.pid == own_pid(host, "/run/private.pid")
    assert [site.names for site in found.nginx.servers] == [("private.example",)]
    sockets = {each.port: each for each in found.listeners if each.pid == found.nginx.pid}
    assert (sockets[18080].address, sockets[18081].address) == ("127.0.0.1", "::")
    assert (sockets[18080].both_families, sockets[18081].both_families) == (False, True)


def test_gathering_leaves_the_host_as_it_is_also_while_nginx_is_stopped(host: ThrowAwayHost) -> None:
    """A test by nginx itself would make its log, its number file and its temporary directories."""
    configure_nginx(host)
    host.output(["sh", "-c", "rm -rf /var/lib/nginx/* /var/log/nginx/* /run/nginx.pid"])
    everywhere = ("/etc", "/var/lib", "/var/log", "/run", "/srv")
    before = host.snapshot(everywhere)
    found = facts(host)
    assert host.snapshot(everywhere) == before
    assert found.nginx is not None
    assert (found.nginx.pid, found.nginx.problems) == (None, ())
    assert any("neighbour.example.org" in site.names for site in found.nginx.servers)
    host.output(["nginx", "-t"])
    assert host.snapshot(everywhere) != before, "nginx -t is what would have been seen"


def test_a_gathering_host_asks_its_own_name_servers(host: ThrowAwayHost) -> None:
    """DNS is asked, and a line in /etc/hosts changes nothing."""
    host.output(["sh", "-c", "echo 203.0.113.9 example.com absent.example.com >>/etc/hosts"])
    known, absent = facts(host).names
    assert set(known.addresses) == {"198.18.0.10", "fd10::10"}
    assert (known.federation[0].target, known.federation[0].port) == ("matrix.example.com", 8448)
    assert (absent.addresses, absent.problem) == ((), "")
