"""The part of a plan that SELinux and the host's firewall need: only what is missing, and only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from palpo_installer.answers import FirewallAnswer, SELinuxAnswer
from palpo_installer.changes import AnyOperation, Change, Unchanged
from palpo_installer.errors import HostError
from palpo_installer.facts.firewalld import Zone
from palpo_installer.facts.ports import covers
from palpo_installer.facts.selinux import LISTENING, READABLE, SELinux
from palpo_installer.facts.ufw import Verdict
from palpo_installer.operations.access import LetGroupIn
from palpo_installer.operations.base import State
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.security import Setting, Withdraw
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.planning.inputs import Inputs

ASK_SELINUX = f'Set host.selinux = "{SELinuxAnswer.ALLOW}" to have it done, or do it yourself'
ASK_FIREWALL = f'Set host.firewall = "{FirewallAnswer.OPEN}" to have it done, or do it yourself'


@dataclass(frozen=True)
class Share:
    """What one of the guards adds to a plan."""

    changes: tuple[Change, ...] = ()
    unchanged: tuple[Unchanged, ...] = ()
    findings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Needs:
    """The ports of the proxy: those for plain HTTP, those for TLS, and those that it connects to.

    Attributes:
        readable: the files and directories of ours that its account must get through.
    """

    plain: tuple[int, ...]
    secure: tuple[int, ...]
    upstream: tuple[int, ...]
    readable: tuple[Path, ...] = ()

    @property
    def listening(self) -> tuple[int, ...]:
        """Every port to listen on."""
        return tuple(dict.fromkeys((*self.plain, *self.secure)))


@dataclass(frozen=True)
class Guarding:
    """What SELinux and the firewall add to a plan, each at its place.

    Attributes:
        policy: first of all: when it does not work out, no order was used up.
        plain: when the proxy listens for plain HTTP, before the orders, which come that way from outside.
        closing: before the TLS ports change: what is no longer listened on is closed first.
        secure: when the proxy listens on the TLS ports: opened any earlier, a port leads to whatever else listens
            there. A rollback goes the other way, and closes a port before the proxy leaves it.
        releasing: when the proxy has left a port.
        other: findings about rules that nobody manages.
    """

    policy: Share
    plain: Share
    closing: Share
    secure: Share
    releasing: Share
    other: tuple[str, ...]

    @property
    def _shares(self) -> tuple[Share, ...]:
        return (self.policy, self.plain, self.closing, self.secure, self.releasing)

    @property
    def unchanged(self) -> tuple[Unchanged, ...]:
        """What is as it should be."""
        return tuple(each for share in self._shares for each in share.unchanged)

    @property
    def findings(self) -> tuple[str, ...]:
        """What the person should know."""
        return (*(each for share in self._shares for each in share.findings), *self.other)

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What must be put right first."""
        return tuple(each for share in self._shares for each in share.obstacles)


NOTHING = Needs((), (), ())
"""With these needs ``withdrawals`` takes back everything that runs in force have set: for uninstalling."""


def guarding(inputs: Inputs, needs: Needs) -> Guarding:
    """Return what SELinux and the firewall add to a plan."""
    closing, releasing = withdrawals(inputs, needs)
    return Guarding(
        policy=selinux(inputs, needs),
        plain=firewall(inputs, needs.plain),
        closing=closing,
        secure=firewall(inputs, needs.secure),
        releasing=releasing,
        other=tuple(_bare(inputs, needs.listening)),
    )


def selinux(inputs: Inputs, needs: Needs) -> Share:
    """Return the change that lets the proxy listen and connect."""
    policy = _policy(inputs)
    if policy is None:
        return Share()
    wanted: tuple[LabelPort | SetBoolean, ...]
    wanted = (*_labels(policy, needs), *(SetBoolean(name) for name in policy.lacking(needs.upstream)))
    fixed = tuple(_fixed(policy, needs))
    findings = (*fixed, *_webroot(inputs, policy))
    if not wanted:
        lets = "lets the proxy listen on its ports and connect to Palpo"
        return Share(unchanged=() if fixed else (Unchanged("SELinux", lets),), findings=findings)
    if inputs.answers.host.selinux is not SELinuxAnswer.ALLOW:
        return Share(findings=(*findings, *(_to_do(each, inputs.facts.system.selinux) for each in wanted)))
    if not policy.managed and any(isinstance(each, LabelPort) for each in wanted):
        return Share(obstacles=(NO_SEMANAGE,), findings=findings)
    return Share((Change("SELinux lets the proxy do its work", wanted),), findings=findings)


def _policy(inputs: Inputs) -> SELinux | None:
    """Return what SELinux lets the chosen proxy do, whichever other one runs."""
    found = inputs.facts.selinux
    return None if found is None else found.of(inputs.answers.proxy)


NO_SEMANAGE = (
    "The program semanage is missing, which labels ports for SELinux. "
    "Install it, e.g.: dnf install policycoreutils-python-utils"
)


def _labels(policy: SELinux, needs: Needs) -> Iterator[LabelPort]:
    for port in policy.unlistenable(needs.listening):
        if policy.local_range(port) is None:
            defined = any(each.ports.first == each.ports.last == port for each in policy.labels)
            yield LabelPort(port, LISTENING, policy.type_of(port), defined)


def _fixed(policy: SELinux, needs: Needs) -> Iterator[str]:
    """Yield what no label of a single port can change: the administrator labelled a range."""
    for port in policy.unlistenable(needs.listening):
        label = policy.local_range(port)
        if label is not None:
            whole = f"{label.ports.first}-{label.ports.last}"
            yield (
                f"SELinux keeps the proxy from listening on port {port}: somebody labelled the ports {whole} "
                f"{label.type}, and one of them cannot have another type. Change that with semanage port"
            )


def _webroot(inputs: Inputs, policy: SELinux) -> Iterator[str]:
    if policy.webroot and policy.webroot not in READABLE:
        path = inputs.layout.webroot
        yield (
            f"SELinux keeps the proxy from reading {path}, whose type is {policy.webroot}. "
            f"Give it the type of its place: restorecon -R {inputs.layout.state}"
        )


def _to_do(setting: LabelPort | SetBoolean, mode: str) -> str:
    keeps = "would keep" if mode == "permissive" else "keeps"
    if isinstance(setting, LabelPort):
        what = f"listening on port {setting.port}, whose type is {setting.former or 'not known'}"
    else:
        what = "connecting to where it passes requests on, and clients will see status 502"
    return f"SELinux {keeps} the proxy from {what}. {ASK_SELINUX}: {' '.join(setting.command)}"


def firewall(inputs: Inputs, ports: tuple[int, ...]) -> Share:
    """Return the change that opens ports in the firewall that the host has."""
    facts, opens = inputs.facts, inputs.answers.host.firewall is FirewallAnswer.OPEN
    wanted: list[OpenFirewalldPort | AllowUfwPort] = []
    unchanged: list[Unchanged] = []
    findings: list[str] = []
    for zone in facts.firewalld.zones if facts.firewalld else ():
        missing = tuple(_in_zone(zone, ports))
        wanted += missing
        open_ports = [port for port in ports if not zone.closed(port)]
        unchanged += [Unchanged(f"firewalld, zone {zone.name}", f"lets {_listed(open_ports)} in")] if open_ports else []
    if facts.ufw:
        verdicts = {port: facts.ufw.verdict(port) for port in ports}
        wanted += [AllowUfwPort(port) for port, verdict in verdicts.items() if verdict == "closed"]
        open_ports = [port for port, verdict in verdicts.items() if verdict == "open"]
        unchanged += [Unchanged("ufw", f"lets {_listed(open_ports)} in")] if open_ports else []
        findings += [_ruled(port, verdict) for port, verdict in verdicts.items() if verdict in RULED]
    if not opens:
        findings += [_shut(each) for each in wanted]
    changes = (Change(f"the firewall lets {_listed(ports)} in", tuple(wanted)),) if wanted and opens else ()
    return Share(changes, tuple(unchanged), tuple(findings))


def _in_zone(zone: Zone, ports: tuple[int, ...]) -> Iterator[OpenFirewalldPort]:
    for port in ports:
        if zone.closed(port):
            if not covers(zone.now, port):
                yield OpenFirewalldPort(zone.name, port, "now")
            if not covers(zone.permanent, port):
                yield OpenFirewalldPort(zone.name, port, "permanent")


RULED: dict[Verdict, str] = {
    "refused": "refuses it by a rule of yours, which stays",
    "limited": "takes six connections in half a minute by a rule of yours, which stays and is too few for this",
}


def _ruled(port: int, verdict: Verdict) -> str:
    return f"Port {port}: ufw {RULED[verdict]}. See: ufw status numbered"


def _shut(setting: OpenFirewalldPort | AllowUfwPort) -> str:
    where = f"firewalld's zone {setting.zone}" if isinstance(setting, OpenFirewalldPort) else "ufw"
    later = isinstance(setting, OpenFirewalldPort) and setting.when == "permanent"
    when = "is not opened for good" if later else "is closed"
    return f"Port {setting.port} {when} in {where}. {ASK_FIREWALL}: {' '.join(setting.command)}"


def _bare(inputs: Inputs, ports: tuple[int, ...]) -> Iterator[str]:
    """Yield what to add to rules that nobody manages: they are never edited."""
    for chain in inputs.facts.chains:
        if lacking := chain.lacking(ports):
            line = f"tcp dport {{ {', '.join(map(str, lacking))} }} accept"
            yield (
                f"nftables lets {_listed(lacking)} in by no rule of {chain.name}, and these rules are yours alone. "
                f"Now: nft insert rule {chain.name} {line}; for later, the same line in the file that holds them"
            )
    if "iptables" in inputs.facts.system.firewalls:
        listed = ",".join(map(str, ports))
        yield (
            "iptables filters what arrives, and these rules are yours alone. If they do not let "
            f"{_listed(ports)} in: iptables -I INPUT -p tcp -m multiport --dports {listed} -j ACCEPT, "
            "and the same with ip6tables"
        )


def _listed(ports: tuple[int, ...] | list[int]) -> str:
    words = [str(port) for port in ports]
    return f"port {words[0]}" if len(words) == 1 else f"ports {', '.join(words[:-1])} and {words[-1]}"


def withdrawals(inputs: Inputs, needs: Needs) -> tuple[Share, Share]:
    """Return what takes back settings of earlier runs that are needed no more: of firewalls, and of SELinux.

    A port is closed before the proxy stops listening on it, and loses its label when it has.
    """
    needless = [each for each in inputs.in_force if not _is_needed(inputs, each.setting, needs)]
    firewalls = [each for each in needless if isinstance(each.setting, OpenFirewalldPort | AllowUfwPort)]
    rest = [each for each in needless if each not in firewalls]
    return _withdrawn(inputs, firewalls), _withdrawn(inputs, rest)


def _is_needed(inputs: Inputs, setting: Setting, needs: Needs) -> bool:
    if isinstance(setting, LetGroupIn):
        return setting.place in needs.readable
    if not isinstance(setting, SetBoolean):
        return setting.port in needs.listening
    policy = _policy(inputs)
    if policy is None:
        return bool(needs.upstream)
    off = tuple(replace(each, now=False) if each.name == setting.name else each for each in policy.booleans)
    return setting.name in replace(policy, booleans=off).lacking(needs.upstream)


def _withdrawn(inputs: Inputs, needless: list[Withdraw]) -> Share:
    wanted: list[AnyOperation] = []
    findings: list[str] = []
    for each in needless:
        try:
            state = each.setting.state(inputs.host, each.before)
        except HostError as error:
            findings.append(f"{each.before['path']} is needed no more, and stays: {error}")
            continue
        if state is State.AFTER:
            wanted.append(each)
        elif state is State.OTHER:
            findings.append(f"{each.before['path']} was changed by somebody since run {each.run}, and stays as it is")
    return Share((Change(NEEDLESS, tuple(wanted)),) if wanted else (), findings=tuple(findings))


NEEDLESS = "what earlier runs allowed and is needed no more"
