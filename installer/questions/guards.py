"""The questions about SELinux and the host's firewall, asked only where something is missing there."""

from __future__ import annotations

from palpo_installer.answers import Address, FirewallAnswer, SELinuxAnswer
from palpo_installer.questions import readers
from palpo_installer.questions.federation import has_own_port
from palpo_installer.questions.question import Choice, Kind, Question, Situation


def _listening(situation: Situation) -> tuple[int, ...]:
    own = [situation.answer("federation.port", int)] if has_own_port(situation) else []
    return (situation.layout.http_port, situation.layout.https_port, *own)


def _selinux_lacks(situation: Situation) -> bool:
    """Return whether the policy keeps the proxy from something, or an answer is there that must not get lost."""
    policy = situation.facts.selinux
    if policy is None or "host.selinux" in situation.given:
        return policy is not None
    upstreams = (situation.get(key, Address) for key in ("homeserver.upstream", "media.upstream"))
    ports = tuple(each.port for each in upstreams if each)
    ours = policy.of(situation.get("proxy.kind", str) or "")
    return bool(ours.unlistenable(_listening(situation)) or ours.lacking(ports))


def _firewall_lacks(situation: Situation) -> bool:
    """Return whether a firewall that can be told keeps a port closed, or an answer is there that must not get lost."""
    firewalld, ufw = situation.facts.firewalld, situation.facts.ufw
    if (firewalld is None and ufw is None) or "host.firewall" in situation.given:
        return not (firewalld is None and ufw is None)
    ports = _listening(situation)
    closed = firewalld.closed(ports) if firewalld else ()
    return bool(closed) or (ufw is not None and any(ufw.verdict(port) == "closed" for port in ports))


GUARDS = (
    Question(
        key="host.selinux",
        text="Whether SELinux is told to let the proxy do its work",
        help="It keeps the proxy from connecting to Palpo (boolean httpd_can_network_relay, for a port of another type "
        "httpd_can_network_connect), or from listening on the port for federation (port type http_port_t). Only what "
        "is missing is set, and a rollback takes it back. SELinux itself is never switched off.",
        kind=Kind.CHOICE,
        read=readers.choice(SELinuxAnswer),
        default=lambda _: SELinuxAnswer.LEAVE,
        applies=_selinux_lacks,
        choices=(
            Choice(SELinuxAnswer.LEAVE, "leave it", "The commands are printed, for doing it yourself."),
            Choice(SELinuxAnswer.ALLOW, "set what is missing", "By setsebool -P and semanage port."),
        ),
        example=SELinuxAnswer.ALLOW.value,
    ),
    Question(
        key="host.firewall",
        text="Whether the ports are opened in this host's firewall",
        help="firewalld or ufw keeps some of the ports 80, 443 and that for federation closed. Only those are opened, "
        "and a rollback closes them. A firewall outside this host, as at many providers, is yours to open.",
        kind=Kind.CHOICE,
        read=readers.choice(FirewallAnswer),
        default=lambda _: FirewallAnswer.LEAVE,
        applies=_firewall_lacks,
        choices=(
            Choice(FirewallAnswer.LEAVE, "leave it", "The commands are printed, for doing it yourself."),
            Choice(FirewallAnswer.OPEN, "open them", "By firewall-cmd --add-port or ufw allow."),
        ),
        example=FirewallAnswer.OPEN.value,
    ),
)
