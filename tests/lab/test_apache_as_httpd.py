"""The arrangement of Red Hat's httpd, as a tree of its own, served by the Apache that is here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from palpo_installer.answers import CertificateFiles
from palpo_installer.facts.system import System
from palpo_installer.gates import markers
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import build
from palpo_installer.probe import ask
from palpo_installer.proxies.apache import reading, tree
from palpo_installer.proxies.apache.configuration import Apache, Awake
from palpo_installer.proxies.apache.modules import NEEDED
from palpo_installer.proxies.apache.rendering import render
from palpo_installer.proxies.apache.tree import Surroundings
from palpo_installer.proxies.assignment import Assignment
from palpo_installer.proxies.base import Rendering
from tests.facts.made import certificate
from tests.lab.running import require_programs, until
from tests.lab.upstream import upstream
from tests.lab.wire import Wire
from tests.ports import free_ports
from tests.proxies.nginx.sites import ANSWERS

APACHE2 = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")
LATE = ("ssl", "proxy_http")
"""Modules that are installed, and that no line loads: so on a host to which mod_ssl is added."""

LOADED = ("mpm_event", "authz_core", "alias", "headers", "setenvif", "mime", "socache_shmcb", "proxy", "rewrite")
MAIN = """
ServerRoot {root}
ServerName main.example.org
DefaultRuntimeDir {root}
PidFile {root}/httpd.pid
ErrorLog {root}/error_log
TypesConfig /etc/mime.types
DocumentRoot {root}/html
Listen 127.0.0.1:{http}
Include conf.modules.d/*.conf
<Directory />
    Require all denied
</Directory>
<Directory {root}/html>
    Require all granted
</Directory>
IncludeOptional conf.d/*.conf
"""


def found(root: Path) -> Apache:
    """Return the Apache of a tree as discovery reads it."""
    surroundings = Surroundings(root, (2, 4, 71))
    written = tree.load(Host(), root / "conf/httpd.conf", surroundings)
    awake = tree.load(Host(), root / "conf/httpd.conf", replace(surroundings, assumed=NEEDED))
    says, would = (reading.parse(each, ipv6=True, resolve=lambda _: ()) for each in (written, awake))
    assert (written.problems, says.problems) == ((), ())
    return Apache(
        binary=APACHE2, version=(2, 4, 71), configuration=root / "conf/httpd.conf", files=written.files,
        servers=says.servers, streams=(), problems=(), user="", error_log=says.error_log, pid_file=says.pid_file,
        pid=None, unit="", unit_enabled=None, arrangement="httpd", modules=written.modules,
        available=tuple(path.name for path in MODULES.iterdir()), mpm="event", listens=says.listens,
        includes=says.includes, server_root=root, awake=Awake(would.listens, would.servers),
        unaided=tuple(name for name, file in written.loads if reading.OURS not in file.name),
    )  # fmt: skip


@contextmanager
def served(root: Path) -> Iterator[None]:
    """Run it; Apache goes into the background when its sockets are open."""
    command = [str(APACHE2), "-f", str(root / "conf/httpd.conf")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30, check=False)
    assert tested.returncode == 0, tested.stderr
    subprocess.run(command, timeout=30, check=True)
    number = root / "httpd.pid"
    until(lambda: number.exists() and number.read_text().strip().isdigit(), "Apache's main process")
    main = psutil.Process(int(number.read_text()))
    try:
        yield
    finally:
        main.terminate()
        main.wait(15)


def install(found: Rendering) -> None:
    """Write the files."""
    for file in (*found.plain.files, *found.secure.files):
        assert file.path.parent.name in {"conf.d", "conf.modules.d"}
        file.path.write_text(file.text)


def test_modules_are_loaded_and_the_main_server_goes_on(tmp_path: Path) -> None:
    """Every address shows the marker and the certificate, a long header passes; a second look renders the same."""
    require_programs("apache2")
    root, (http, https) = tmp_path / "httpd", free_ports(2)
    for name in ("conf", "conf.d", "conf.modules.d", "html"):
        (root / name).mkdir(parents=True)
    for each in (root, *(parent for parent in root.parents if "pytest" in str(parent))):
        each.chmod(0o755)
    (root / "modules").symlink_to(MODULES)
    (root / "html/index.html").write_text("the main server")
    (root / "conf/httpd.conf").write_text(MAIN.format(root=root, http=http))
    lines = [f"LoadModule {name}_module modules/mod_{name}.so" for name in LOADED]
    (root / "conf.modules.d/00-base.conf").write_text("\n".join(lines))
    layout = Layout(tmp_path, http, https, ("127.0.0.1", "::1"))
    with upstream() as homeserver:
        answers = replace(ANSWERS, homeserver=replace(ANSWERS.homeserver, upstream=homeserver.address))
        site = build(answers, layout)
        files = {name: CertificateFiles(root / f"{name}.pem", root / f"{name}.key") for name in site.certificates}
        for name, pair in files.items():
            certificate(name).write(pair.chain, pair.key)
        system = System("rhel", "9", "", "none", "disabled", (), ("127.0.0.1", "::1"), ipv6=True, root=True)
        rendering = render(found(root), Assignment(site, system, layout, files))
        install(rendering)
        assert rendering.secure.files[-1].text.count("LoadModule") >= len(LATE)
        assert render(found(root), Assignment(site, system, layout, files)) == rendering
        with served(root):
            wire = Wire("127.0.0.1", https, "matrix.example.com")
            until(lambda: _answers(wire), "an answer over TLS")
            expectations = (*rendering.plain.expectations, *rendering.secure.expectations)
            leaves = {each.chain: markers.leaf_of(Host(), each.chain) for each in files.values()}
            for expectation, question in zip(expectations, markers.questions(expectations), strict=True):
                assert markers.complaint(expectation, ask(question), leaves) == ""
            assert wire.http1(b"/_matrix/%2Fx", [(b"Authorization", b"x" * 31 * 1024)]).status == 200
            assert homeserver.targets[-1] == b"/_matrix/%2Fx"
            nobody = Wire("127.0.0.1", http, "nobody.example", tls=False)
            assert nobody.http1(b"/index.html").body == b"the main server"


def _answers(wire: Wire) -> bool:
    try:
        return wire.http1(b"/").status == 404
    except OSError:
        return False
