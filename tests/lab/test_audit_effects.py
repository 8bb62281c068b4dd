"""What some traps do on real proxies: what the audit names does it, the sound configuration does not."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from palpo_installer.probe import Answer
from tests.audit.made_proxies import APACHE, CADDY, HAPROXY
from tests.audit.test_passing_rules import findings
from tests.lab.running import require_programs, until
from tests.lab.upstream import Upstream, upstream
from tests.lab.wire import Wire
from tests.ports import free_ports

NAME = "matrix.example.com"
BIND = "bind *:443,[::]:443 ssl crt /etc/haproxy/matrix.pem alpn h2,http/1.1"
CHOSEN = "use_backend palpo if client matrix"
MODULES = "mpm_event authz_core headers proxy proxy_http rewrite"


@contextmanager
def running(argv: Sequence[str], port: int) -> Iterator[Wire]:
    """Run a proxy until it listens, without TLS."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: process.poll() is not None or _listens(port), f"the start of {argv[0]}")
            assert process.poll() is None, process.communicate()[1]
            yield Wire("127.0.0.1", port, NAME, tls=False)
        finally:
            process.terminate()
            process.communicate(timeout=20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def apache(root: Path, lines: Sequence[str], homeserver: Upstream) -> Iterator[Wire]:
    """Run Apache with these lines in its virtual host."""
    require_programs("apache2")
    port = free_ports(1)[0]
    loaded = (f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES.split())
    text = "\n".join([
        *loaded, f"ServerName {NAME}", f"Listen 127.0.0.1:{port}", f"PidFile {root}/pid", f"ErrorLog {root}/log",
        f"DefaultRuntimeDir {root}", "User nobody", "Group nogroup",
        f"<VirtualHost *:{port}>", *lines, "</VirtualHost>",
    ])  # fmt: skip
    main = root / "apache.conf"
    main.write_text(text.replace("127.0.0.1:8008", str(homeserver.address)) + "\n")
    with running(["apache2", "-f", str(main), "-DFOREGROUND"], port) as wire:
        yield wire


@contextmanager
def haproxy(root: Path, text: str, homeserver: Upstream) -> Iterator[Wire]:
    """Run HAProxy with a configuration, its TLS taken away."""
    require_programs("haproxy")
    port = free_ports(1)[0]
    text = text.replace(
        "bind *:443,[::]:443 ssl crt /etc/haproxy/matrix.pem alpn h2,http/1.1", f"bind 127.0.0.1:{port}"
    )
    main = root / "haproxy.cfg"
    main.write_text(text.replace("127.0.0.1:8008", str(homeserver.address)))
    with running(["haproxy", "-db", "-f", str(main)], port) as wire:
        yield wire


@contextmanager
def caddy(root: Path, text: str, homeserver: Upstream) -> Iterator[Wire]:
    """Run Caddy with a Caddyfile, its TLS taken away."""
    require_programs("caddy")
    port = free_ports(1)[0]
    text = "\n".join(line for line in text.splitlines() if not line.startswith("\ttls "))
    text = text.replace("matrix.example.com {", f"http://matrix.example.com:{port} {{\n\tbind 127.0.0.1")
    text = text.replace("\temail admin@example.com", "\tadmin off")
    main = root / "Caddyfile"
    main.write_text(text.replace("127.0.0.1:8008", str(homeserver.address)) + "\n")
    argv = ["caddy", "run", "--adapter", "caddyfile", "--config", str(main)]
    with running(["env", f"XDG_DATA_HOME={root}", f"XDG_CONFIG_HOME={root}", *argv], port) as wire:
        yield wire


def sound_lines() -> list[str]:
    """Return what stands in the sound virtual host of the unit tests, without TLS."""
    block = APACHE.partition("<VirtualHost *:443>\n")[2].partition("</VirtualHost>")[0]
    return [line for line in block.splitlines() if not line.strip().startswith(("SSL", "Protocols", "ServerName"))]


TARGET = "/_matrix/client/v3/directory/room/%23a%2Fb%3Aexample.com"


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("decoded-target", "8008/_matrix nocanon", "8008/_matrix"),
        ("encoded-slashes", "    AllowEncodedSlashes NoDecode", ""),
        ("host-header", "    ProxyPreserveHost On", ""),
        ("forwarded-for", "    RequestHeader unset X-Forwarded-For early", ""),
    ],
)
def test_on_apache(tmp_path: Path, rule: str, old: str, new: str) -> None:
    """The target, Host, or the client's address arrives changed where the rule finds something, else as it was."""
    sound = sound_lines()
    faulty = "\n".join(sound).replace(old, new).splitlines()
    assert rule in [name for name, _ in findings(tmp_path / "read", "apache", APACHE.replace(old, new))]
    seen = []
    for number, lines in enumerate((sound, faulty)):
        place = tmp_path / str(number)
        place.mkdir()
        with upstream() as homeserver, apache(place, lines, homeserver) as wire:
            wire.http1(TARGET.encode(), [(b"Host", NAME.encode()), (b"X-Forwarded-For", b"203.0.113.66")])
            seen.append([(each.target, each.all("host"), each.all("x-forwarded-for")) for each in homeserver.requests])
    assert seen[0] == [(TARGET.encode(), (NAME,), ("127.0.0.1",))]
    assert seen[1] != seen[0]


def asked(wire: Wire, target: str, host: str = NAME) -> Answer:
    """Ask HAProxy for a target under a name."""
    return wire.http1(target.encode(), [(b"Host", host.encode())])


@pytest.mark.parametrize(
    ("rule", "old", "new", "target", "host"),
    [
        ("host-with-port", "hdr(host),host_only", "hdr(host)", "/_matrix/x", f"{NAME}:443"),
        ("segment-boundary", "path_reg ^/(_matrix|_palpo/client)(/|$)", "path_beg /_matrix", "/_matrixfoo", NAME),
        ("tcp-mode", "    mode http\n", "", "/_palpo/admin/v1/users", NAME),
        (
            "decoded-target",
            "    use_backend",
            "    http-request set-path %[path,url_dec]\n    use_backend",
            "/_matrix/a%2Fb",
            NAME,
        ),
    ],
)
def test_on_haproxy(tmp_path: Path, rule: str, old: str, new: str, target: str, host: str) -> None:
    """The same request has another end where the rule finds something."""
    faulty = HAPROXY.replace(old, new)
    assert rule in [name for name, _ in findings(tmp_path / "read", "haproxy", faulty)]
    ends = []
    for number, text in enumerate((HAPROXY, faulty)):
        place = tmp_path / str(number)
        place.mkdir()
        # In mode tcp no back end is chosen by a path.
        written = text if "mode http" in text else text.replace(CHOSEN, "default_backend palpo")
        with upstream() as homeserver, haproxy(place, written, homeserver) as wire:
            asked(wire, target, host)
            ends.append(homeserver.targets)
    assert ends[0] != ends[1]
    assert ends[0] in ([], [target.encode()])


def test_two_front_ends_on_one_bind_both_start(tmp_path: Path) -> None:
    """HAProxy's own test says nothing, and both answer, each for some of the connections."""
    require_programs("haproxy")
    port = free_ports(1)[0]
    front = "frontend {0}\n    mode http\n    timeout client 5s\n    bind 127.0.0.1:{1}\n"
    front += "    http-request return status {2}\n"
    main = tmp_path / "haproxy.cfg"
    main.write_text(front.format("a", port, 200) + front.format("b", port, 404))
    checked = subprocess.run(["haproxy", "-c", "-f", str(main)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0
    statuses: set[int] = set()
    with running(["haproxy", "-db", "-f", str(main)], port) as wire:
        deadline = time.monotonic() + 10
        while len(statuses) < 2 and time.monotonic() < deadline:
            statuses.add(asked(wire, "/").status)
    assert statuses == {200, 404}


@dataclass(frozen=True)
class Seen:
    """What comes of one request: the answer, and the target, Host and address that the homeserver saw."""

    status: int
    origins: tuple[str, ...]
    arrived: tuple[tuple[object, ...], ...]


def seen(root: Path, text: str, target: str) -> Seen:
    """Ask a Caddy with a Caddyfile, with what a client may say about itself."""
    root.mkdir()
    said = [(b"Host", NAME.encode()), (b"X-Forwarded-For", b"203.0.113.66"), (b"X-Real-IP", b"203.0.113.67")]
    with upstream() as homeserver, caddy(root, text, homeserver) as wire:
        answer = wire.http1(target.encode(), said)
        names = ("host", "x-forwarded-for", "x-real-ip")
        arrived = tuple((each.target, *(each.all(name) for name in names)) for each in homeserver.requests)
    return Seen(answer.status, tuple(answer.all("access-control-allow-origin")), arrived)


PROXY = "\t\treverse_proxy 127.0.0.1:8008 {\n"
ARRIVED = ((TARGET.encode(), (NAME,), ("127.0.0.1",), ()),)
DOTS = "/_palpo/admin/v1/users/../../../../_matrix/client/versions"
FILTER = next(line for line in CADDY.splitlines() if "vars_regexp" in line)
CORS = "\t\theader Access-Control-Allow-Origin *\n"


@pytest.mark.parametrize(
    ("rule", "old", "new", "target"),
    [
        ("rewritten-target", "handle @matrix", "handle_path /_matrix/*", TARGET),
        ("host-header", PROXY, f"{PROXY}\t\t\theader_up Host {{upstream_hostport}}\n", TARGET),
        ("forwarded-for", PROXY, f"{PROXY}\t\t\ttrusted_proxies 0.0.0.0/0\n", TARGET),
        ("client-headers", "\t\t\theader_up -X-Real-IP\n", "", TARGET),
        ("doubled-cors", "\thandle @matrix", "\theader Access-Control-Allow-Origin *\n\thandle @matrix", TARGET),
        ("doubled-cors", PROXY, f"{PROXY}\t\t\theader_down +Access-Control-Allow-Origin *\n", TARGET),
        ("path-missing", "handle @matrix", "route @matrix", TARGET),
        ("admin-through-dots", FILTER, "", DOTS),
        ("segment-boundary", "path /_matrix/*", "path /_matrix*", "/_matrixfoo"),
        ("well-known-cors", CORS, "", "/.well-known/matrix/client"),
        ("empty-answer", "\thandle {\n\t\trespond 404\n\t}\n", "", "/nobody"),
    ],
)
def test_on_caddy(tmp_path: Path, rule: str, old: str, new: str, target: str) -> None:
    """The same request is passed on or answered otherwise where the rule finds something."""
    assert old in CADDY
    faulty = CADDY.replace(old, new)
    assert rule in [name for name, _ in findings(tmp_path / "read", "caddy", faulty)]
    sound, trapped = seen(tmp_path / "sound", CADDY, target), seen(tmp_path / "trapped", faulty, target)
    assert sound != trapped
    if target == TARGET:
        assert (sound.status, sound.origins, sound.arrived) == (200, ("*",), ARRIVED)
        assert rule != "doubled-cors" or trapped.origins == ("*", "*")
    assert rule != "empty-answer" or (sound.status, trapped.status) == (404, 200)


@pytest.mark.parametrize("line", ["header ?Access-Control-Allow-Origin *", "header_down Access-Control-Allow-Origin *"])
def test_on_caddy_what_replaces_a_header_doubles_none(tmp_path: Path, line: str) -> None:
    """Neither on the real Caddy nor in the audit."""
    place = "\thandle @matrix {\n" if line.startswith("header ") else PROXY
    text = CADDY.replace(place, f"\t{line}\n{place}" if line.startswith("header ") else f"{place}\t\t\t{line}\n")
    assert "doubled-cors" not in [name for name, _ in findings(tmp_path / "read", "caddy", text)]
    assert seen(tmp_path / "caddy", text, TARGET).origins == ("*",)
