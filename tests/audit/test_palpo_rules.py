"""Every rule about palpo.toml and Palpo's unit, with the line it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.audit.auditing import audit
from palpo_installer.audit.palpo_unit import unit
from palpo_installer.homeserver.lines import Lines
from tests.audit.made import NOW, SERVER, SOUND, TOML, audited, host_with, known, rules, trapped

LISTENER = '[[listeners]]\naddress = "127.0.0.1:8008"\n'
LOGIN = "[rc_login]\nper_second = 1.0\nburst = 50\n"

CASES: dict[str, tuple[tuple[tuple[str, str], ...], int]] = {
    "palpo-refuses": ((("max_upload_size = 16777216", 'max_upload_size = "16MiB"'),), 3),
    "palpo-unknown-key": ((("[storage]", "[blob]\na = 1\n[storage]"),), 14),
    "palpo-dead-key": ((("[storage]", "[media]\nstartup_check = true\n[storage]"),), 15),
    "palpo-public-listener": ((("127.0.0.1:8008", "0.0.0.0:8008"),), 5),
    "palpo-server-name": ((('"example.com"', '"change.palpo.im"'),), 1),
    "palpo-signing-key": ((("[keypair]\n", "[keypair_]\n"),), 1),
    "palpo-shared-limits": (((LOGIN, ""),), 1),
    "palpo-well-known-unset": ((('client = "https://matrix.example.com"\n', ""),), 8),
    "palpo-well-known-server": ((('server = "matrix.example.com:443"\n', ""),), 8),
    "palpo-relative-storage": ((("/var/lib/palpo/media", "./space"),), 16),
    "palpo-open-registration": ((("allow_registration = false", "allow_registration = true"),), 2),
    "palpo-upload-size": ((("16777216", "104857600"),), 3),
    "palpo-database-tls": ((("[db]\n", "[db]\nenforce_tls = true\n"),), 7),
    "palpo-database-remote": ((("@127.0.0.1/", "@192.0.2.7/"),), 7),
    "palpo-broken-file": ((("[storage]", "[storage"),), 14),
}
"""By rule, what brings its trap into a sound palpo.toml, and the line it stands on."""


@pytest.mark.parametrize("rule", CASES)
def test_a_trap_is_found_on_its_line(tmp_path: Path, rule: str) -> None:
    """And no secret of the file is in what is said."""
    edits, line = CASES[rule]
    found = audited(host_with(tmp_path, SERVER, trapped(*edits, text=SOUND)))
    finding = next(each for each in found.findings if each.rule == rule)
    assert (finding.file, finding.line) == (tmp_path / TOML[1:], line)
    assert not any(
        "hunter2" in text for each in found.findings for text in (each.what, each.why, each.cure, *each.lines)
    )


def test_the_documented_listen_addr_is_found(tmp_path: Path) -> None:
    """It is the one finding, says what Palpo listens on instead, and the cure has the form that is read."""
    old = trapped((LISTENER, 'listen_addr = "127.0.0.1:8008"\n'), text=SOUND)
    found = audited(host_with(tmp_path, SERVER, old))
    assert rules(found) == ["palpo-public-listener"]
    assert found.findings[0].line == 4
    assert "0.0.0.0:8008" in found.findings[0].what
    assert found.findings[0].lines == ("[[listeners]]", 'address = "127.0.0.1:8008"')


def test_a_server_name_of_the_wrong_form_is_refused(tmp_path: Path) -> None:
    """A URL is no server name, and is not passed over as one that is missing."""
    toml = trapped(('"example.com"', '"https://example.com"'), text=SOUND)
    assert "palpo-refuses" in rules(audited(host_with(tmp_path, SERVER, toml)))


def test_a_container_listens_where_it_must(tmp_path: Path) -> None:
    """A wildcard is right inside one: its loopback is not the host's."""
    host = host_with(tmp_path, SERVER, trapped(("127.0.0.1:8008", "0.0.0.0:8008"), text=SOUND))
    facts = known(host)
    found = audit(host, replace(facts, palpo=replace(facts.palpo, runs_as="container")), NOW)
    assert found.findings == ()


def test_a_file_for_everybody(tmp_path: Path) -> None:
    """Readable by others is found, readable by a group is not."""
    host = host_with(tmp_path, SERVER)
    place = host.layout.at(TOML)
    place.chmod(0o644)
    assert rules(audited(host)) == ["palpo-readable"]
    place.chmod(0o640)
    assert rules(audited(host)) == []


def test_an_unset_client_answer_breaks_where_nginx_passes_it_on(tmp_path: Path) -> None:
    """Clients are then told what stands nowhere."""
    passing = trapped(
        (
            "    location /_matrix/ {",
            "    location = /.well-known/matrix/client { proxy_pass http://127.0.0.1:8008; }\n    location /_matrix/ {",
        )
    )
    toml = trapped(('client = "https://matrix.example.com"\n', ""), text=SOUND)
    assert "palpo-well-known-client" in rules(audited(host_with(tmp_path, passing, toml)))


def test_limits_that_are_off_need_limits_in_nginx(tmp_path: Path) -> None:
    """Off and none in nginx is a finding; one with ``limit_req`` is none."""
    toml = trapped(("[rc_login]\nper_second = 1.0", "[rc_login]\nper_second = 0.0"), text=SOUND)
    assert rules(audited(host_with(tmp_path, SERVER, toml))) == ["unlimited-logins"]
    limited = trapped(("        proxy_read", "        limit_req zone=login;\n        proxy_read"))
    assert rules(audited(host_with(tmp_path, limited, toml))) == []


def test_a_unit_that_ends_palpo() -> None:
    """ExecReload with a signal, and a watchdog, on their lines; a unit without either has none."""
    text = "[Service]\nExecStart=/usr/bin/palpo\nExecReload=/bin/kill -HUP $MAINPID\nWatchdogSec=30s\n"
    found = list(unit(Path("/etc/systemd/system/palpo.service"), text))
    assert [(each.rule, each.line) for each in found] == [("palpo-reload-kills", 3), ("palpo-watchdog", 4)]
    assert not list(unit(Path("palpo.service"), "[Service]\nExecStart=/usr/bin/palpo\nWatchdogSec=0\n"))


def test_the_lines_of_keys() -> None:
    """Dotted keys, tables in lists, values over several lines; an unknown key has the line of what it is in."""
    lines = Lines(
        '# comment\na.b = 1\n[[listeners]]\n[[listeners]]\naddress = "x"\n[listeners.tls]\ncert = "c"\n'
        '[db]\nurl = """\none\ntwo"""\npool_size = 3\n'
    )
    wanted = {"a.b": 2, "listeners": 3, "listeners 2.address": 5, "listeners 2.tls.cert": 7, "db.url": 9}
    assert {key: lines.of(key) for key in wanted} == wanted
    assert lines.of("db.pool_size") == 12
    assert lines.of("db.nothing") == 8
    assert lines.of("nothing") == 1
