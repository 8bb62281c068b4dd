"""The configurations of the corpus, and our one line in them, before the real nginx."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.operations.lines import edited
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.insertion import Insertion, line_of, place
from palpo_installer.proxies.nginx.reading import parse
from palpo_installer.proxies.nginx.tree import load
from tests.lab.pebble import web_certificate
from tests.lab.running import require_programs, require_root
from tests.proxies.nginx.corpus import DATA, LUA, SHAPES

LIVE = b"/etc/letsencrypt/live/example.com"
SITE = "site.conf"


def dumped(folder: Path) -> tuple[str, list[str]]:
    """Return what nginx complains of, and the words of the site that it read, our own file among them."""
    argv = ["unshare", "--net", "nginx", "-T", "-c", str(folder / "nginx.conf")]
    done = subprocess.run(argv, check=False, capture_output=True, timeout=30)
    errors = [line for line in done.stderr.decode(errors="replace").splitlines() if "[emerg]" in line]
    said = done.stdout.decode(errors="replace")
    return "\n".join(errors), re.findall(r"^# configuration file (.+):$", said, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as /etc/nginx is, for one site after the other."""
    require_root()
    require_programs("nginx", "unshare")
    folder = tmp_path_factory.mktemp("nginx")
    shutil.copytree(DATA / "snippets", folder / "snippets")
    shutil.copy("/etc/nginx/fastcgi_params", folder)
    chain, key = web_certificate(folder)
    chain.rename(folder / "fullchain.pem")
    key.rename(folder / "privkey.pem")
    for snippet in (folder / "snippets").iterdir():
        snippet.write_bytes(snippet.read_bytes().replace(LIVE, str(folder).encode()))
    (folder / "ours.inc").write_text("location = /.well-known/palpo-installer { return 204; }\n")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi"))
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ server_names_hash_max_size 4096; access_log off; {temporary} "
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; include {SITE}; }}\n"
    )
    return folder


READ = [
    pytest.param(name, marks=[pytest.mark.slow] if ", " in name else []) for name in SHAPES if not name.startswith(LUA)
]
"""The variants take long for what they add."""


@pytest.mark.parametrize("name", READ)
def test_nginx_loads_the_site_as_it_is_and_with_our_line_in_each_block(folder: Path, name: str) -> None:
    """Where there is a place for the line, nginx reads the included file; taken out, the file is what it was."""
    data, site = SHAPES[name].replace(LIVE, str(folder).encode()), folder / SITE
    data = data.replace(b"/var/cache", str(folder).encode())
    site.write_bytes(data)
    assert dumped(folder)[0] == ""
    build = Build((1, 22, 1), (), Path("/usr"), Path("/x"), "x", "stderr", "nobody")
    servers = parse(load(Host(), folder / "nginx.conf").top, build, lambda _: ()).servers
    assert servers
    placed = [where for block in servers[-5:] if isinstance(where := place(data, block.line), Insertion)]
    assert placed or "\n" not in data.decode(errors="replace").rstrip()
    line = line_of(folder / "ours.inc")
    after = edited(data, {where.line: where.indent.decode() + line for where in placed}, ())
    site.write_bytes(after)
    complaint, files = dumped(folder)
    assert complaint == ""
    assert str(folder / "ours.inc") in files
    assert edited(after, {}, (line,)) == data


def test_nginx_loads_no_file_with_a_byte_order_mark(folder: Path) -> None:
    """So it is no place for a line of ours either."""
    (folder / SITE).write_bytes(b"\xef\xbb\xbfserver {\n}\n")
    assert "unknown directive" in dumped(folder)[0]
