"""The questions about SELinux and the firewall: asked where something is missing, and kept once answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer import answers_file
from palpo_installer.answers import FirewallAnswer, Guards, SELinuxAnswer
from palpo_installer.conversation import PAGES, talk
from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts, gather
from palpo_installer.facts.firewalld import Firewalld, Zone
from palpo_installer.facts.ports import PortRange
from palpo_installer.facts.selinux import CONNECT
from palpo_installer.facts.ufw import Rule, Ufw
from palpo_installer.layout import Layout
from palpo_installer.questions import resolve
from tests.recorded import recorded
from tests.situations import FEWEST, facts

WEB = (PortRange(80, 80), PortRange(443, 443))
BARE = facts()


@pytest.fixture
def alma(tmp_path: Path) -> Facts:
    """The recorded AlmaLinux 9, where all of it is missing."""
    return gather(recorded("alma_conf_d", tmp_path))


def guards(host: Facts, **chosen: object) -> Guards:
    """Return the answers for what was chosen beside the fewest."""
    return resolve({**FEWEST, **named(chosen)}, host, Layout()).answers.host


def named(chosen: Mapping[str, object]) -> dict[str, object]:
    """Return keys of questions for names of a test."""
    return {key.replace("__", "."): value for key, value in chosen.items()}


def firewalled(**ranges: tuple[PortRange, ...]) -> Facts:
    """Return a host with firewalld that lets these in, now and later."""
    return replace(BARE, firewalld=Firewalld((Zone("public", "default", ranges["now"], ranges["later"]),)))


def test_nothing_is_asked_where_nothing_guards(alma: Facts) -> None:
    """Nor written into the answers; where something is missing the default leaves it."""
    assert guards(BARE, host__firewall="open", host__selinux="allow") == Guards()
    assert guards(alma) == Guards(SELinuxAnswer.LEAVE, FirewallAnswer.LEAVE)
    assert guards(alma, host__selinux="allow") == Guards(SELinuxAnswer.ALLOW, FirewallAnswer.LEAVE)
    text = answers_file.text(resolve(FEWEST, BARE, Layout()).answers).shown
    assert '# selinux = "allow"' in text


def test_the_firewall_is_asked_about_for_the_ports_that_are_needed() -> None:
    """A port for federation is one more; open until a reload is not open."""
    opened = firewalled(now=WEB, later=WEB)
    assert guards(opened).firewall is None
    assert guards(opened, federation__delegation="srv").firewall is FirewallAnswer.LEAVE
    assert guards(firewalled(now=WEB, later=())).firewall is FirewallAnswer.LEAVE
    ruled = replace(
        BARE, ufw=Ufw("deny", (Rule("ALLOW", WEB, False), Rule("DENY", (PortRange(8448, 8448),), False)), False)
    )
    assert guards(ruled).firewall is None
    assert guards(ruled, federation__delegation="srv").firewall is None
    assert guards(ruled, federation__delegation="srv", federation__port=8450).firewall is FirewallAnswer.LEAVE


def test_selinux_is_asked_about_for_the_upstream_and_the_ports(alma: Facts) -> None:
    """Once it lets the proxy connect, only a port of no type of the web is left."""
    assert alma.selinux is not None
    on = tuple(
        replace(each, now=True, lasting=True) if each.name == CONNECT else each for each in alma.selinux.booleans
    )
    connecting = replace(alma, selinux=replace(alma.selinux, booleans=on))
    assert guards(connecting).selinux is None
    assert guards(connecting, federation__delegation="srv").selinux is SELinuxAnswer.LEAVE


def test_an_answer_is_kept_when_nothing_is_missing_any_more() -> None:
    """Else the run that opened the ports would be followed by one that forgets who did."""
    opened = firewalled(now=WEB, later=WEB)
    assert guards(opened, host__firewall="open").firewall is FirewallAnswer.OPEN
    resolved = resolve({**FEWEST, "host.firewall": "open"}, opened, Layout())
    saved = answers_file.plain(resolved.answers)
    assert saved["host.firewall"] == "open"
    assert resolve({**saved, **FEWEST}, opened, Layout()).answers == resolved.answers


def test_they_stand_on_the_last_page(alma: Facts) -> None:
    """Only where they are asked."""
    asked = [each.question.key for each in talk(FEWEST, alma, Layout()).on(PAGES[-1].keys)]
    assert asked[-2:] == ["host.selinux", "host.firewall"]
    assert "host.firewall" not in [each.question.key for each in talk(FEWEST, BARE, Layout()).fields]


def test_other_words_are_refused(alma: Facts) -> None:
    """With the near one."""
    with pytest.raises(AnswersError, match="no such choice"):
        guards(alma, host__firewall="opened")
