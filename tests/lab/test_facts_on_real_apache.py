"""What is read of Apache, compared with what Apache itself says of its configuration."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from palpo_installer.host import Host
from palpo_installer.proxies.apache.reading import parse
from palpo_installer.proxies.apache.tree import Surroundings, load
from palpo_installer.proxies.sockets import is_address
from tests.lab.running import require_programs

MODULES = "/usr/lib/apache2/modules"
MAIN = """
ServerRoot {root}
ServerName main.example.org
PidFile {root}/pid
DefaultRuntimeDir {root}
ErrorLog {root}/error.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule ssl_module {modules}/mod_ssl.so
Define PORT 8081
Listen 8080
Listen ${{PORT}}
<IfModule ssl_module>
Listen 127.0.0.1:8443
</IfModule>
<IfModule mod_gnutls.c>
Listen 8444
</IfModule>
IncludeOptional sites/*.conf
"""
SITES = {
    "b.conf": "<VirtualHost *:8080>\nServerName b.example.org\nServerAlias www.b.org \\\n *.b.org\n</VirtualHost>",
    "a.conf": "# first by name\n<VirtualHost _default_:8080 127.0.0.1:8081>\nServerName a.org:80\n</VirtualHost>",
    "c.conf": "<IfModule mod_ssl.c>\n<VirtualHost *:*>\nServerName c.example.org\n</VirtualHost>\n</IfModule>",
    "d.conf": "<VirtualHost 127.0.0.1:8080 [::1]:8080>\nServerName d.example.org\n</VirtualHost>",
    "e.conf": "<IfDefine Never>\n<VirtualHost *:8080>\nServerName e.example.org\n</VirtualHost>\n</IfDefine>",
    "f.conf": "<VirtualHost 127.0.0.1:8080>\nServerName f.example.org\n</VirtualHost>",
}


def told_by_apache(root: Path) -> dict[str, list[str]]:
    """Return the places of the virtual hosts by address and port, in the order in which Apache tries them."""
    command = ["/usr/sbin/apache2", "-f", str(root / "main.conf"), "-S"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    found: dict[str, list[str]] = {}
    where: list[str] = []
    for line in said.splitlines():
        if match := re.match(r"(\S+:[\d*]+)\s+(?:is a NameVirtualHost|\S+ \((\S+)\))", line):
            where = found.setdefault(match[1], [])
            where += [match[2]] if match[2] else []
        elif match := re.match(r"\s+port \S+ namevhost \S+ \((\S+)\)", line):
            where.append(match[1])
    return found


def test_virtual_hosts_are_where_apache_has_them(tmp_path: Path) -> None:
    """Address, port, order, file and line: as ``-S`` prints them, with includes, conditions and variables."""
    require_programs("apache2")
    (tmp_path / "sites").mkdir()
    for name, text in SITES.items():
        (tmp_path / "sites" / name).write_text(text)
    (tmp_path / "main.conf").write_text(MAIN.format(root=tmp_path, modules=MODULES))
    tree = load(Host(), tmp_path / "main.conf", Surroundings(tmp_path, (2, 4, 71)))
    found = parse(tree, ipv6=True, resolve=lambda _: ())
    assert (tree.problems, found.problems) == ((), ())

    told = told_by_apache(tmp_path)
    read: dict[str, list[str]] = {}
    for server in (each for each in found.servers if each.names):
        for listen in server.listens:
            wildcard = is_address(listen.address) and listen.address in {"::", "0.0.0.0"}
            host = "*" if wildcard else f"[{listen.address}]" if ":" in listen.address else listen.address
            read.setdefault(f"{host}:{listen.port}", []).append(f"{server.file}:{server.line}")
    # Apache lists a host for any port by itself; it comes behind those for the very port, in the order of reading.
    anywhere = told.pop("*:*")
    assert anywhere == [f"{tmp_path}/sites/c.conf:2"]
    assert told["*:8080"] == read["*:8080"][: len(told["*:8080"])]
    assert {place: sites for place, sites in told.items() if place in read and place != "*:8080"} == {
        place: sites for place, sites in read.items() if place in told and place != "*:8080"
    }
    assert set(told) <= set(read)
    assert read["*:8081"] == anywhere == read["127.0.0.1:8443"]
