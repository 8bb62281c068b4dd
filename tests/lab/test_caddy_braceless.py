"""A Caddyfile whose only site has no braces takes our line in front of its address, and gives it back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.operations.lines import directive, edited
from palpo_installer.proxies.caddy import insertion, tree
from palpo_installer.proxies.caddy.placement import COMMENT, OWN, SUFFIX
from tests.lab import services, ways
from tests.lab.hosts import ThrowAwayHost
from tests.lab.running import require_programs

LINE = f"import {OWN}/*{SUFFIX} {COMMENT}"
OURS = "http://ours.example:80 {\n\trespond ours\n}\n"
FORMS = {
    "plain": "example.org:8098\nrespond hi\n",
    "one line": "example.org:8098",
    "windows": "# mine\r\n\r\nexample.org:8098\r\nrespond hi\r\n",
    "options": "# mine\n{\n\temail a@b.example\n}\n\nexample.org:8098 {$NOTHING}\nrespond hi",
    "snippet and options": "(s) {\n\theader X y\n}\n{\n\temail a@b.example\n}\n:8098\nimport s\nrespond hi\n",
    "imported options": "import options\nexample.org:8098\nrespond hi\n",
    "names on two lines": "example.org:8098,\nwww.example.org:8098\nrespond hi\n",
    "blocks": ":8098\n@a path /a\nhandle @a {\n\trespond a\n}\n",
    "behind a site with braces": "a.example {\n\trespond a\n}\nexample.org:8098\nrespond hi\n",
    "byte order mark": "\ufeff# mine\nexample.org:8098\nrespond hi\n",
    "imported": "import one\n",
}


def adapted(program: str, file: Path) -> dict[tuple[str, ...], dict[str, object]]:
    """Return the routes of each site by its names, as Caddy reads a file."""
    argv = [program, "adapt", "--adapter", "caddyfile", "--config", str(file)]
    said = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    servers = json.loads(said.stdout)["apps"]["http"]["servers"].values()
    routes = [(server["listen"], route) for server in servers for route in server["routes"]]
    return {
        (*listen, *sorted(name for match in route.get("match", [{}]) for name in match.get("host", []))): route
        for listen, route in routes
    }


def unordered(routes: dict[tuple[str, ...], dict[str, object]]) -> dict[tuple[str, ...], object]:
    """Return what the routes do: names may come in any order."""
    return {names: route.get("handle") for names, route in routes.items()}


@pytest.mark.parametrize("form", FORMS)
def test_both_are_read_as_they_were_written(caddy_program: Path, form: str, tmp_path: Path) -> None:
    """Ours in front, theirs unchanged, for Caddy itself; without our line the file is the same by byte."""
    program, file = str(caddy_program), tmp_path / "Caddyfile"
    (tmp_path / "options").write_text("{\n\temail a@b.example\n}\n")
    (tmp_path / "one").write_text("example.org:8098\nrespond hi\n")
    file.write_text(FORMS[form], newline="")
    written = file.read_bytes()
    theirs = adapted(program, file)
    (tmp_path / OWN).mkdir()
    (tmp_path / OWN / f"ours{SUFFIX}").write_text(OURS)
    assert unordered(adapted(program, file)) == unordered(theirs)
    place = insertion.room(FORMS[form], tree.load(Host(), file, {}).options_imported)
    file.write_bytes(edited(written, {place: LINE}, ()))
    found = adapted(program, file)
    assert found.pop((":80", "ours.example"))
    assert unordered(found) == unordered(theirs)
    assert edited(file.read_bytes(), {}, (directive(LINE),)) == written


def test_the_whole_way_beside_a_site_without_braces(host: ThrowAwayHost) -> None:
    """One line is shown, the site answers as ever, a second apply has nothing to do, and taking back is by byte."""
    require_programs("caddy")
    text = "# mine\r\n:8098\r\nrespond hi"
    host.write("/etc/caddy/Caddyfile", text)
    services.run_caddy(host)
    host.until_listening(8098)
    ways.prepare(host, None, "well-known", proxy='kind = "caddy"')
    before = host.snapshot()
    shown = ways.done(host, "plan", "--answers", ways.ANSWERS)
    assert f"+{LINE}" in shown
    ways.done(host, "apply", "--answers", ways.ANSWERS, "--yes")
    assert host.output(["od", "-c", "/etc/caddy/Caddyfile"]).count("\\r") == 3
    assert host.output(["curl", "--silent", "http://127.0.0.1:8098/"]) == "hi"
    assert "m.server" in ways.fetch(host, "https://example.com/.well-known/matrix/server", "--insecure")
    assert ways.done(host, "apply", "--yes").startswith("Nothing to do")
    ways.done(host, "rollback", "--yes")
    left = {path for path in ways.untouched(before, host) if not path.startswith(services.CADDYS_OWN)}
    assert left == set()
    assert host.output(["curl", "--silent", "http://127.0.0.1:8098/"]) == "hi"
