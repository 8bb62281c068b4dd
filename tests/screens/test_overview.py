"""The first screen: who answers, and what can be done, from facts and earlier runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from palpo_installer.audit.auditing import audit
from palpo_installer.audit.finding import Audit
from palpo_installer.engine.history import PastRun
from palpo_installer.facts import gather, matrix
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.found import Listen
from palpo_installer.screens import answering
from palpo_installer.screens.overview import Past, overview
from tests.audit.made import NOW, SITE, host_with, known
from tests.audit.test_auditing import DOCUMENTED
from tests.recorded import recorded
from tests.situations import facts


def run(identity: str, result: str) -> PastRun:
    """Return an earlier run."""
    return PastRun(
        identity, Path(identity), datetime(2026, 1, 2, 3, 4, tzinfo=UTC), result, "", (), {}, reversible=True
    )


def entries(past: Past) -> list[str]:
    """Return what can be done on an empty host."""
    return [entry.value for entry in overview(facts(), past, Layout()).entries]


def test_each_port_has_its_owner_and_each_site_its_file_and_line(tmp_path: Path) -> None:
    """Name, port, address family, process, site and certificate are there, of every server block."""
    host = recorded("debian_sites", tmp_path)
    said = overview(gather(host), Past(), host.layout).text.replace(str(tmp_path), "")
    assert "  port 80, IPv4 and IPv6: nginx (nginx.service)" in said
    assert "    any other name          IPv4, IPv6  /etc/nginx/sites-enabled/default:1" in said
    assert "  port 443, 192.0.2.10: nginx (nginx.service)" in said
    assert "    shop.example            192.0.2.10:443  /etc/nginx/sites-enabled/shop:1" in said
    assert "certificate not readable: /etc/ssl/shop.pem" in said
    assert "  port 8448: nobody" in said
    assert "and: sshd on 22" in said


def test_another_server_on_port_80_is_named(tmp_path: Path) -> None:
    """Who holds the port stands there, and that no proxy can be read."""
    host = recorded("another_on_80", tmp_path)
    said = overview(gather(host), Past(), host.layout).text
    holder = next(each for each in gather(host).listeners if each.port == 80)
    assert f"port 80, IPv4: {holder.owner}" in said or f"{holder.owner}" in said.split("port 80")[1].splitlines()[0]
    assert "proxy: none found of those that can be read: nginx" in said


def test_a_unit_of_palpo_is_no_matrix_configuration(tmp_path: Path) -> None:
    """A host whose proxy knows nothing of Matrix is not said to be set up, though the audit read Palpo's unit."""
    host = host_with(tmp_path)
    judged = Audit((), ("/etc/systemd/system/palpo.service",), ())
    assert "Matrix is already" not in overview(replace(known(host), nginx=None), Past(), host.layout, judged).text


def test_a_socket_for_both_families_is_said_to_be_one() -> None:
    """Apache's usual one takes IPv4 too: its sites are not said to be for IPv6 alone."""
    listen = Listen("::", 443, ("ssl", "ipv6only=off"), Path("/etc/apache2/ports.conf"), 8)
    assert answering._where([listen]) == "IPv4 and IPv6"


def test_a_stopped_nginx_answers_nothing_but_would(tmp_path: Path) -> None:
    """Its sites are shown for what they are: not answering now."""
    host = recorded("nginx_stopped", tmp_path)
    said = overview(gather(host), Past(), host.layout).text
    assert "port 80: nobody" in said
    assert "would answer: " in said


def test_a_first_visit_offers_to_set_up() -> None:
    """Setting up is the usual entry, and leaving the other."""
    assert entries(Past()) == ["set-up", "leave"]


def test_a_later_visit_offers_everything_there_is() -> None:
    """Reconfigure, verify, renew, roll back and history, once a run is in force."""
    past = Past((run("0001", "applied"),), answered=True)
    assert entries(past) == ["set-up", "verify", "renew", "roll-back", "history", "uninstall", "leave"]


def test_what_was_rolled_back_is_not_offered_to_be_rolled_back() -> None:
    """After a rollback there is history, and nothing to take back."""
    assert entries(Past((run("0001", "rolled-back"),))) == ["set-up", "history", "uninstall", "leave"]


def test_a_run_that_was_cut_off_comes_first() -> None:
    """It is said before everything else, and taking it back is the usual entry; nothing else can be done."""
    shown = overview(facts(), Past((run("0001", "applied"), run("0002", "interrupted"))), Layout())
    assert shown.text.startswith("Run 0002 was cut off")
    assert [entry.value for entry in shown.entries] == ["recover", "leave"]


def test_a_run_at_work_can_only_be_followed() -> None:
    """An unfinished run whose engine lives was not cut off."""
    shown = overview(facts(), Past((run("0001", "interrupted"),), busy=True), Layout())
    assert shown.text.startswith("A run is at work now")
    assert [entry.value for entry in shown.entries] == ["follow", "leave"]


def test_a_run_that_waits_to_be_confirmed_comes_first() -> None:
    """With its deadline and both ways to keep it; once its engine is dead it is one that was cut off."""
    waits = replace(run("0001", "interrupted"), unconfirmed_until=datetime(2026, 1, 2, 14, 32, 10, tzinfo=UTC))
    shown = overview(facts(), Past((waits,), busy=True), Layout())
    assert shown.text.startswith("Run 0001 waits to be confirmed\n  It takes itself back at 14:32:10 UTC.\n")
    assert "palpo-installer confirm" in shown.text
    assert [entry.value for entry in shown.entries] == ["follow", "leave"]
    assert "takes itself back unless it is confirmed" in shown.entries[1].help
    assert overview(facts(), Past((waits,)), Layout()).text.startswith("Run 0001 was cut off")


def test_without_root_the_command_line_with_sudo_is_told() -> None:
    """What needs root is not offered, and it is said how to get it."""
    seen = facts()
    seen = replace(seen, system=replace(seen.system, root=False))
    shown = overview(seen, Past(), Layout())
    assert "sudo palpo-installer" in shown.text
    assert [entry.value for entry in shown.entries] == ["set-up", "leave"]


def test_a_matrix_configuration_that_is_there_is_told_and_can_be_read(tmp_path: Path) -> None:
    """What it says with file and line, how many traps it has, and an entry to read them; an empty host has neither."""
    host = host_with(tmp_path, DOCUMENTED)
    found = known(host)
    found = replace(found, matrix=matrix.read(host, found.nginx, found.palpo))
    said = overview(found, Past(), host.layout, audit(host, found, NOW))
    assert "Matrix is already configured here" in said.text
    assert f"  server name example.com  {tmp_path}/etc/palpo/palpo.toml:1" in said.text
    assert f"  passed on to 127.0.0.1:8008  {tmp_path}{SITE}:11" in said.text
    assert "  audit: 6 traps (2 breaking, 4 weakening), 3 to know" in said.text
    assert [entry.value for entry in said.entries] == ["set-up", "audit", "leave"]
    nothing = overview(facts(), Past(), Layout(), audit(Host(Layout(tmp_path / "empty")), facts()))
    assert "already" not in nothing.text
    assert [entry.value for entry in nothing.entries] == ["set-up", "leave"]
