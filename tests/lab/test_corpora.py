"""The configurations of the corpora, and our one line in them, before the real Apache, Caddy and HAProxy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from palpo_installer.operations.lines import AddedLine, edited
from tests.lab.pebble import web_certificate
from tests.lab.running import require_programs
from tests.proxies.corpora import CORPORA, SHAPES

LIVE = b"/etc/letsencrypt/live/example.com"
MODULES = "mpm_event authz_core mime ssl headers rewrite alias dir slotmem_shm proxy proxy_http proxy_balancer"
APACHE = """\
ServerRoot {folder}
ServerName localhost
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
Define APACHE_LOG_DIR {folder}
{modules}
Include {site}
"""


def apache(folder: Path, site: Path) -> tuple[bool, str]:
    """Return whether Apache loads a site, and the files that it reads."""
    main = folder / "apache2.conf"
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES.split())
    main.write_text(APACHE.format(folder=folder, modules=modules, site=site))
    ended = _run("apache2", "-t", "-D", "DUMP_INCLUDES", "-f", str(main))
    return ended.returncode == 0, ended.stdout if ended.returncode == 0 else ended.stderr


def haproxy(_folder: Path, site: Path) -> tuple[bool, str]:
    """Return whether HAProxy loads a site; what it reads it does not say."""
    ended = _run("haproxy", "-c", "-f", str(site))
    return ended.returncode == 0, "" if ended.returncode == 0 else ended.stderr


def caddy(_folder: Path, site: Path) -> tuple[bool, str]:
    """Return whether Caddy reads a site, and what it makes of it."""
    ended = _run("caddy", "adapt", "--config", str(site), "--adapter", "caddyfile")
    if ended.returncode != 0:
        return False, ended.stderr
    return True, json.dumps(json.loads(ended.stdout), sort_keys=True)


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, check=False, capture_output=True, text=True, errors="replace", timeout=60)


LOADS: Mapping[str, Callable[[Path, Path], tuple[bool, str]]] = {"apache": apache, "caddy": caddy, "haproxy": haproxy}
PROGRAMS = {"apache": "apache2", "caddy": "caddy", "haproxy": "haproxy"}
ENDLESS = "no newline at the end"

READ = [
    pytest.param(kind, name, marks=[pytest.mark.slow] if ", " in name else [], id=f"{kind}-{name}")
    for kind, name in SHAPES
]
"""The variants take long for what they add."""


@pytest.mark.parametrize(("kind", "name"), READ)
def test_the_program_loads_the_site_as_it_is_and_with_our_line(tmp_path: Path, kind: str, name: str) -> None:
    """Where there is a place for the line, the program reads the file that it leads to, and nothing else otherwise."""
    require_programs(PROGRAMS[kind])
    corpus, site, ours = CORPORA[kind], tmp_path / "site.conf", tmp_path / "ours.inc"
    ours.write_text("# ours\n")
    for path in web_certificate(tmp_path):
        path.rename(tmp_path / ("fullchain.pem" if path.read_bytes().startswith(b"-----BEGIN CERT") else "privkey.pem"))
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets/headers.conf").write_text("")
    data = corpus.shapes[name].replace(LIVE, str(tmp_path).encode())
    site.write_bytes(data)
    loads, read = LOADS[kind](tmp_path, site)
    if kind == "haproxy" and ENDLESS in name:
        assert "Missing LF on last line" in read
        return
    assert loads, read
    assert str(ours) not in read
    places = [each for each in corpus.places(data, corpus.line.format(ours)) if isinstance(each, AddedLine)]
    assert places
    for place in places:
        site.write_bytes(edited(data, {place.before: place.text}, ()))
        loads, with_ours = LOADS[kind](tmp_path, site)
        assert loads, f"{place}: {with_ours}"
        if kind == "caddy":
            assert with_ours == read
    site.write_bytes(edited(data, {each.before: each.text for each in places}, ()))
    loads, read = LOADS[kind](tmp_path, site)
    assert loads, read
    assert kind != "apache" or str(ours) in read
