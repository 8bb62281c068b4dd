from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from palpo_installer.detect import as_json, describe, of_proxy
from palpo_installer.facts import Facts, gather
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.facts.palpo import Palpo, PalpoConfiguration
from palpo_installer.proxies.found import Listen, Problem, Proxy, ServerBlock
from palpo_installer.serialization import load
from tests.facts.made import START, certificate
from tests.media.made import repository
from tests.recorded import HOSTS, recorded

ASKED = "Who answers for these names in nginx"
NOW = START + timedelta(days=48)
NAME = Name(
    "example.com", ("192.0.2.1",), "", (ServiceRecord(10, 5, 443, "m.example.com"),), (), ("0 issue ca.example",), ""
)


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    """Debian with a neighbour's certificate and one name."""
    certificate("shop.example").write(tmp_path / "etc/ssl/shop.pem", tmp_path / "etc/ssl/shop.key")
    certificate("fallback.example").write(tmp_path / "etc/ssl/fallback.pem", tmp_path / "etc/ssl/fallback.key")
    return replace(gather(recorded("debian_sites", tmp_path)), names=(NAME,))


def section(text: str, title: str) -> list[str]:
    """Return the lines of one section, wrapped lines joined to the line they belong to."""
    (body,) = [part for part in text.split("\n\n") if part.splitlines()[0] == title]
    lines: list[str] = []
    for line in body.splitlines()[1:]:
        if line.startswith("      "):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.strip())
    return lines


@pytest.mark.parametrize("name", sorted(path.stem for path in HOSTS.glob("*.json")))
def test_facts_survive_as_json(name: str, tmp_path: Path) -> None:
    """What one process wrote is the same value in another, for every recorded host."""
    facts = gather(recorded(name, tmp_path))
    assert load(as_json(facts), Facts) == facts


def test_facts_with_everything_in_them_survive_as_json(facts: Facts) -> None:
    """Times, paths, missing values and records come back, and the text is JSON for others too."""
    assert facts.certificates
    assert load(as_json(facts), Facts) == facts
    assert json.loads(as_json(facts))["names"][0]["federation"][0]["target"] == "m.example.com"


def test_sections_come_in_order_and_empty_ones_are_left_out(facts: Facts) -> None:
    """Nothing that could not be seen is no section of its own."""
    titles = [part.splitlines()[0] for part in describe(facts, NOW).split("\n\n")]
    assert titles == ["System", "Who answers now", ASKED, "nginx", "Palpo", "Certificates", "Names in DNS"]
    assert section(describe(replace(facts, unseen=("One thing.",)), NOW), "What could not be seen") == ["One thing."]


def test_who_answers_for_a_name_is_said_with_its_place(facts: Facts) -> None:
    """For each name that was asked for, on both ports, and why it is that server block."""
    lines = section(describe(facts, NOW), ASKED)
    assert lines[0].startswith(f"{facts.names[0].name} today: 0.0.0.0:80")
    assert "sites-enabled" in " ".join(lines)


def test_every_line_fits_in_80_columns(facts: Facts) -> None:
    """Long lists are wrapped between words."""
    many = replace(facts.system, addresses=tuple(f"2001:db8::{number}" for number in range(40)))
    text = describe(replace(facts, system=many), NOW)
    words = [word for line in text.splitlines() if len(line) > 80 for word in line.split()]
    assert all(len(word) > 60 for word in words if word != "-"), "only a word that is too long itself may stick out"
    assert "2001:db8::39" in text


def test_listeners_show_address_and_owner(facts: Facts) -> None:
    """Address, port and both families; process, unit and number."""
    lines = section(describe(facts, NOW), "Who answers now")
    assert lines[0].split() == ["[::]:22", "(IPv4", "too)", "sshd", "(ssh.service),", "process", "500"]
    assert lines[1].split() == ["0.0.0.0:80", "nginx", "(nginx.service),", "process", "612"]
    assert section(describe(replace(facts, listeners=()), NOW), "Who answers now") == ["nothing"]


def test_nginx_shows_its_sites_with_their_place(facts: Facts, tmp_path: Path) -> None:
    """File and line of each site, what it listens on, and what could not be read."""
    nginx = facts.nginx
    assert nginx is not None
    problem = Problem(Path("/x.conf"), 3, "broken")
    stream = Listen("0.0.0.0", 443, (), Path("/s.conf"), 9)
    text = describe(replace(facts, nginx=replace(nginx, problems=(problem,), streams=(stream,))), NOW)
    lines = section(text, "nginx")
    assert lines[0] == "1.22.1, /usr/sbin/nginx, runs as process 612, nginx.service (starts at boot)"
    assert f"site: shop.example www.shop.example ({tmp_path}/etc/nginx/sites-enabled/shop:1)" in " ".join(
        lines
    ).replace("  ", " ")
    assert "on 192.0.2.10:443 ssl http2" in lines
    assert "cannot be read: /x.conf:3: broken" in lines
    assert "passes TCP or UDP on: 0.0.0.0:443  (/s.conf:9)" in lines


def test_every_proxy_is_shown_alike() -> None:
    """Version, program, state, unit, main file; sites with file and line."""

    @dataclass(frozen=True)
    class Other(Proxy):
        kind: ClassVar[str] = "other"
        title: ClassVar[str] = "Other"

    listen = Listen("::", 443, ("ssl", "ipv6only=off"), Path("/etc/other.conf"), 3)
    site = ServerBlock(("shop.example",), (listen,), (), Path("/etc/other.conf"), 2)
    binary, main = Path("/usr/bin/other"), Path("/etc/other.conf")
    found = Other(binary, (2, 6, 0), main, (), (site,), (), (), "", "", "", None, "other.service", unit_enabled=False)
    assert list(of_proxy(found)) == [
        "2.6.0, /usr/bin/other, stopped, other.service (does not start at boot)",
        "configuration: /etc/other.conf",
        "site: shop.example  (/etc/other.conf:2)",
        "  on [::]:443 ssl (IPv4 too)",
    ]


def test_a_host_without_a_proxy_says_so(facts: Facts) -> None:
    """With those that could be there; where there is one, it has a section of its own instead."""
    without = describe(replace(facts, nginx=None, listeners=()), NOW)
    (line,) = section(without, "Proxies")
    assert line.startswith("none found of those that can be read: nginx, Apache, Caddy, HAProxy")
    assert "Proxies" not in describe(facts, NOW)


def test_palpo_shows_how_it_runs_and_what_its_files_say(facts: Facts) -> None:
    """One line each for the way it runs, its answer and its files."""
    good = PalpoConfiguration(Path("/etc/palpo/palpo.toml"), "", "example.org", ("127.0.0.1:8008",), "")
    bad = PalpoConfiguration(Path("/b.toml"), "", "", (), "line 2: broken")
    unit = Palpo((good, bad), "unit", "palpo.service", "", "", "palpo", "palpo", "127.0.0.1:8008", "0.4.0")
    assert section(describe(replace(facts, palpo=unit), NOW), "Palpo") == [
        "service palpo.service, as palpo:palpo",
        "answers at 127.0.0.1:8008, version 0.4.0",
        "/etc/palpo/palpo.toml: server name example.org, listens on 127.0.0.1:8008",
        "/b.toml: line 2: broken",
    ]
    for palpo, line in (
        (replace(unit, runs_as="container", container="p", runtime="podman"), "container p of podman"),
        (replace(unit, runs_as="process"), "runs, started by hand"),
        (facts.palpo, "no service, container or process found"),
    ):
        assert section(describe(replace(facts, palpo=palpo), NOW), "Palpo")[0] == line


def test_certificates_show_the_days_they_have_left(facts: Facts) -> None:
    """Before, during and after their time, and a key that is another's."""
    one = replace(facts.certificates[0], names=("a.example",), chain=Path("/c.pem"), issuer="CA", matches_key=False)
    only = replace(facts, certificates=(one,))
    for days, words in (
        (48, "42 days left"),
        (89, "1 day left"),
        (91, "expired on 2026-04-01"),
        (-1, "not valid before 2026-01-01"),
    ):
        lines = section(describe(only, START + timedelta(days=days)), "Certificates")
        assert lines == [f"a.example: {words}, by CA", "/c.pem - its key does not match"]


def test_names_show_records_or_the_problem(facts: Facts) -> None:
    """An alias is said ahead of the addresses; a name that was not answered shows only why."""
    failed = Name("b.example", (), "", (), (), (), "no answer")
    alias = Name("c.example", (), "d.example", (), (), (), "")
    assert section(describe(replace(facts, names=(NAME, failed, alias)), NOW), "Names in DNS") == [
        "example.com: 192.0.2.1",
        "_matrix-fed._tcp: m.example.com:443 (priority 10, weight 5)",
        "CAA: 0 issue ca.example",
        "b.example: no answer",
        "c.example: alias of d.example, no address",
    ]


def test_nothing_on_the_host_can_steer_the_terminal(facts: Facts) -> None:
    """A name from a file or from DNS may hold control characters; they are shown as a question mark."""
    evil = replace(NAME, name="a\x1b[2Jb\r\nc")
    text = describe(replace(facts, names=(evil,)), NOW)
    assert "a?[2Jb??c: 192.0.2.1" in text
    assert "\x1b" not in text


def test_a_host_without_root_says_so(facts: Facts) -> None:
    """The reader must know that more may be there."""
    text = describe(replace(facts, system=replace(facts.system, root=False, ipv6=False, firewalls=("ufw",))), NOW)
    lines = section(text, "System")
    assert "looked at without root: processes and files may be missing" in lines
    assert "firewall: ufw" in lines
    assert any(line.endswith("(no IPv6)") for line in lines)


def test_a_media_repository_is_shown(facts: Facts) -> None:
    """Where it is, whom it serves, and not at all where there is none."""
    assert "Media repository" not in describe(facts)
    lines = section(describe(replace(facts, media=repository())), "Media repository")
    assert lines == [
        "matrix-media-repo, runs, at 127.0.0.1:8000",
        "/etc/matrix-media-repo/media-repo.yaml: serves example.com",
    ]
