"""The part of a plan that the host's firewall needs: only what is missing, and only when asked for."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.answers import FirewallAnswer
from palpo_installer.changes import Change, Unchanged
from palpo_installer.facts.firewalld import Zone
from palpo_installer.facts.ports import covers
from palpo_installer.facts.ufw import Verdict
from palpo_installer.operations.firewalld import OpenFirewalldPort
from palpo_installer.operations.ufw import AllowUfwPort
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.shares import Share

ASK = f'Set host.firewall = "{FirewallAnswer.OPEN}" to have it done, or do it yourself'


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
    return f"Port {setting.port} {when} in {where}. {ASK}: {' '.join(setting.command)}"


def unmanaged(inputs: Inputs, ports: tuple[int, ...]) -> Iterator[str]:
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
