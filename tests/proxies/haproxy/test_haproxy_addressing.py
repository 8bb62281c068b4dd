"""Where our line stands in a frontend that determines the client's address by its rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.operations.lines import edited
from palpo_installer.proxies.haproxy.addressing import findings, is_set, place, rules
from palpo_installer.proxies.haproxy.reading import ours
from tests.proxies.haproxy.test_haproxy_rendering import DEFAULTS, found, rendered

SET = "    http-request set-src hdr(CF-Connecting-IP)\n"
LISTED = "    http-request set-src req.hdr(X-Forwarded-For,-1) if { src -f /etc/haproxy/cdn.lst }\n"
DENY = "    http-request deny if { path_beg /private }\n"
VARIABLE = "    http-request set-var(txn.client) req.hdr(True-Client-IP)\n"
HEADER = "    http-request set-header X-Forwarded-For %[req.hdr(CF-Connecting-IP)]\n"
PLACES = {
    "nothing is determined": (HEADER + DENY, 0),
    "no rules": ("", 0),
    "first": (SET + DENY, 1),
    "under a condition": (LISTED + DENY + DENY, 1),
    "twice": (SET + LISTED + DENY, 2),
    "the last one": (SET, 1),
    "of what was read before": (VARIABLE + "    http-request set-src var(txn.client)\n" + DENY, 2),
    "without what clients say": (
        "    http-request del-header CF-Connecting-IP if !{ src 192.0.2.1 }\n" + SET + DENY,
        2,
    ),
    "behind what some are let through by": ("    http-request allow if { path /health }\n" + SET + DENY, 2),
    "behind a rule that answers": (DENY + SET, 0),
    "behind a rule that counts": ("    http-request track-sc0 src\n" + SET + DENY, 0),
    "behind another name": ("    http-request set-header Host shop.example\n" + SET + DENY, 0),
    "one of two": (SET + DENY + LISTED, 1),
    "in a conditional block": (".if !defined(X)\n" + SET + ".endif\n" + DENY, 1),
    "in one with what answers": (".if !defined(X)\n" + SET + DENY + ".endif\n", 0),
}
"""Rules of a frontend, and how many of them stand before our line."""
LATE = {"behind a rule that answers", "behind a rule that counts", "behind another name", "one of two"}
LATE_TOO = "in one with what answers"


def frontend(text: str) -> str:
    """Return a frontend for TLS with some rules."""
    return f"frontend tls\n    bind :443 ssl crt CERTS\n{text}    default_backend x\n"


@pytest.mark.parametrize("what", PLACES)
def test_our_line_stands_behind_what_determines_the_address(tmp_path: Path, what: str) -> None:
    """Where all before it neither answers nor changes a request; else it is the first, and the plan tells of it."""
    text, number = PLACES[what]
    (read,) = found(tmp_path, frontend(text)).frontends
    assert place(rules(read)) == number
    late = any("Put line" in each for each in findings(read))
    assert late == (what in {*LATE, LATE_TOO})


def test_what_is_not_known_for_our_names_is_told_with_file_and_line(tmp_path: Path) -> None:
    """Both rules by name, and a header that tells an address by itself; nothing where the address is determined."""
    (read,) = found(tmp_path, frontend(DENY + SET)).frontends
    (said,) = findings(read)
    file = tmp_path / "conf.d/site.cfg"
    assert f"set-src hdr(CF-Connecting-IP) ({file}:9)" in said
    assert f"path_beg /private }} ({file}:8)" in said
    (read,) = found(tmp_path, frontend(HEADER)).frontends
    (said,) = findings(read)
    assert f"X-Forwarded-For %[req.hdr(CF-Connecting-IP)] ({file}:8)" in said
    assert not is_set(read)
    for text in (SET + HEADER, HEADER.replace("req.hdr(CF-Connecting-IP)", "src"), LISTED):
        (read,) = found(tmp_path, frontend(text)).frontends
        assert tuple(findings(read)) == ()


def test_the_plan_has_what_it_has_to_tell(tmp_path: Path) -> None:
    """Among its findings."""
    assert any("set-src" in each for each in rendered(tmp_path, found(tmp_path, frontend(DENY + SET))).findings)


def after(tmp_path: Path, text: str) -> str:
    """Return a configuration with what is planned for it, and nothing more is planned then."""
    (lines,) = rendered(tmp_path, found(tmp_path, text)).secure.lines
    add: dict[int, str] = {}
    for line in lines.add:
        add[line.before] = f"{add[line.before]}\n{line.text}" if line.before in add else line.text
    result = edited((DEFAULTS + text.replace("CERTS", f"{tmp_path}/certs/")).encode(), add, lines.drop).decode()
    result = result.removeprefix(DEFAULTS)
    assert rendered(tmp_path, found(tmp_path, result)).secure.lines == ()
    return result


def test_a_line_moves_behind_what_was_written_below_it(tmp_path: Path) -> None:
    """And only in its own frontend, also where another one of the file has the very same."""
    two = frontend(DENY) + frontend(DENY).replace("tls", "more").replace(":443", "192.0.2.1:443")
    once = after(tmp_path, two)
    changed = once.replace(DENY, LISTED + DENY, 1)
    moved = after(tmp_path, changed)
    rows = [line.split("  #")[0] for line in moved.splitlines() if "allow" in line or "set-src" in line]
    assert [row.split()[1] for row in rows] == ["set-src", "allow", "allow"]
    assert sorted(moved.splitlines()) == sorted(changed.splitlines())
    assert sum(map(ours, (d for each in found(tmp_path, moved).sections for d in each.directives))) == 4


def test_a_line_goes_where_no_rule_is_left_that_could_answer(tmp_path: Path) -> None:
    """What determined the address is the last rule then."""
    once = after(tmp_path, frontend(DENY))
    assert "http-request allow" in once
    assert "http-request allow" not in after(tmp_path, once.replace(DENY, SET))
