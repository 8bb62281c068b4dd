from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from palpo_installer.facts import Facts, gather
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from tests.facts.made import certificate
from tests.recorded import HOSTS, recorded

READ_ONLY = (
    "/usr/sbin/nginx -V",
    "ss -H -ltne",
    "stat -L -c %i ",
    "docker ps ",
    "docker inspect ",
    "getent ahosts ",
    "nft list ruleset",
    "ufw status",
    "semanage boolean --list",
    "semanage port --list",
    "firewall-cmd --get-default-zone",
    "firewall-cmd --get-active-zones",
    "firewall-cmd --zone=public --list-all",
    "firewall-cmd --permanent --zone=public --list-all",
)


def contents(root: Path) -> Mapping[str, tuple[int, str]]:
    """Return everything below a directory, with mode and digest."""
    return {
        str(path): (path.lstat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in sorted(root.rglob("*"))
    }


@pytest.mark.parametrize("name", sorted(path.stem for path in HOSTS.glob("*.json")))
def test_gathering_changes_nothing_and_only_asks(name: str, tmp_path: Path) -> None:
    """On every recorded host the files stay as they are, and each program run is one that only reads."""
    host = recorded(name, tmp_path)
    before = contents(tmp_path)
    gather(host)
    assert contents(tmp_path) == before
    enabled = f"systemctl --root={tmp_path} is-enabled "
    assert [command for command in host.asked if not command.startswith((*READ_ONLY, enabled))] == []


def test_debians_host_is_seen_whole(tmp_path: Path) -> None:
    """Who listens, the sites with their certificates, and the one that is inherited."""
    certificate("shop.example").write(tmp_path / "etc/ssl/shop.pem", tmp_path / "etc/ssl/shop.key")
    certificate("fallback.example").write(tmp_path / "etc/ssl/fallback.pem", tmp_path / "etc/ssl/fallback.key")
    facts = gather(recorded("debian_sites", tmp_path))
    assert [(each.address, each.port, each.both_families, each.unit) for each in facts.listeners] == [
        ("::", 22, True, "ssh.service"),
        ("0.0.0.0", 80, False, "nginx.service"),
        ("::", 80, False, "nginx.service"),
        ("192.0.2.10", 443, False, "nginx.service"),
    ]
    assert facts.nginx is not None
    assert facts.nginx.pid == 612
    assert sorted(each.names[0] for each in facts.certificates) == ["fallback.example", "shop.example"]
    assert all(each.matches_key for each in facts.certificates)
    assert (facts.palpo.runs_as, facts.names, facts.unseen) == ("stopped", (), ())


def test_almas_host_has_selinux_and_firewalld(tmp_path: Path) -> None:
    """What decides there whether a port can be used."""
    facts = gather(recorded("alma_conf_d", tmp_path))
    assert (facts.system.selinux, facts.system.firewalls) == ("enforcing", ("firewalld",))


def test_a_port_of_another_program_is_told_without_nginx(tmp_path: Path) -> None:
    """Apache answers on port 80, and without ss its IPv6 socket is taken for IPv6 only, which is said."""
    facts = gather(recorded("another_on_80", tmp_path))
    assert facts.nginx is None
    assert {each.owner for each in facts.listeners} == {"apache2 (apache2.service)"}
    assert facts.unseen == ("Without the program ss, listeners on [::] are taken for IPv6 only.",)


def test_palpo_in_a_container_owns_its_published_port(tmp_path: Path) -> None:
    """The container's name stands for docker's own process."""
    facts = gather(recorded("palpo_in_container", tmp_path))
    assert [(each.port, each.owner) for each in facts.listeners] == [(8018, "container palpo-server-1")]
    assert facts.palpo.runs_as == "container"


class Homeserver(BaseHTTPRequestHandler):
    """Answers as Palpo does at the path that names its versions."""

    def do_GET(self) -> None:
        """Answer with Palpo's name there, and with nothing anywhere else."""
        known = self.path == "/_matrix/client/versions"
        body = b'{"versions":[],"net.zemos.msc4383.server":{"name":"Palpo","version":"0.4.0"}}' if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


def test_palpo_that_answers_on_its_configured_port_is_found(tmp_path: Path) -> None:
    """A real socket, found among the listeners of this machine and asked over loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Homeserver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        (tmp_path / "etc/palpo").mkdir(parents=True)
        (tmp_path / "etc/palpo/palpo.toml").write_text(f'server_name = "a"\n[[listeners]]\naddress = "{address}"\n')
        facts = gather(Host(Layout(tmp_path)))
        server.shutdown()
    assert (facts.palpo.answers_at, facts.palpo.version) == (address, "0.4.0")


def test_another_root_is_looked_at_instead_of_the_host(tmp_path: Path) -> None:
    """Below an empty directory there is no nginx, no certificate and no palpo.toml, whatever this machine has."""
    facts = gather(Host(Layout(tmp_path)))
    assert (facts.nginx, facts.certificates, facts.palpo.configurations) == (None, (), ())
    assert (facts.system.name, facts.system.init) == ("an unknown Linux", "none")


def test_without_root_the_facts_say_what_is_missing() -> None:
    """A person without rights gets what can be seen, and is told that it is not all."""
    script = (
        "import os\nfrom palpo_installer.facts import gather\n"
        "from palpo_installer.host import Host\n"
        "os.getuid() or os.setuid(65534)\n"
        "facts = gather(Host())\n"
        "print(facts.system.root, len(facts.system.addresses) > 0, any('root' in each for each in facts.unseen))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    assert said.stdout.split() == ["False", "True", "True"]


def test_facts_are_values(tmp_path: Path) -> None:
    """Two looks at the same host are equal and can be told apart from another host's."""
    first, second = (gather(recorded("alma_conf_d", tmp_path)) for _ in range(2))
    assert isinstance(first, Facts)
    assert first == second
    assert first != gather(recorded("another_on_80", tmp_path / "other"))
