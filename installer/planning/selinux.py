"""The part of a plan that SELinux needs: only what is missing, and only when asked for."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.answers import SELinuxAnswer
from palpo_installer.changes import Change, Unchanged
from palpo_installer.facts.selinux import LISTENING, READABLE, SELinux
from palpo_installer.operations.selinux import LabelPort, SetBoolean
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.needs import Needs
from palpo_installer.planning.shares import Share

ASK = f'Set host.selinux = "{SELinuxAnswer.ALLOW}" to have it done, or do it yourself'
NO_SEMANAGE = (
    "The program semanage is missing, which labels ports for SELinux. "
    "Install it, e.g.: dnf install policycoreutils-python-utils"
)


def selinux(inputs: Inputs, needs: Needs) -> Share:
    """Return the change that lets the proxy listen and connect."""
    policy = policy_of(inputs)
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


def policy_of(inputs: Inputs) -> SELinux | None:
    """Return what SELinux lets the chosen proxy do, whichever other one runs."""
    found = inputs.facts.selinux
    return None if found is None else found.of(inputs.answers.proxy)


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
    return f"SELinux {keeps} the proxy from {what}. {ASK}: {' '.join(setting.command)}"
