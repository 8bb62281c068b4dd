"""The part of a plan that keeps things going: the renewal timer and the saved answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from palpo_installer import answers_file
from palpo_installer.answers import Method
from palpo_installer.certificates import renewal
from palpo_installer.certificates.timer import ActivateTimer
from palpo_installer.changes import AnyOperation, Change, Unchanged
from palpo_installer.host import Host
from palpo_installer.operations.files import MakeDirectory
from palpo_installer.planning.inputs import Inputs, look, missing_directories, rewrite, write
from palpo_installer.secret import Text


def timer(inputs: Inputs) -> tuple[tuple[Change, ...], tuple[Unchanged, ...], tuple[str, ...]]:
    """Return the change that makes the renewal run twice a day, what of it needs nothing, and findings."""
    systemd, texts = inputs.facts.system.init == "systemd", scheduled(inputs)
    if not texts:
        return (), (), ()
    wanted = [write(inputs, path, Text(text), 0o644) for path, text in texts.items()]
    operations: tuple[AnyOperation, ...] = tuple(each for each in wanted if not isinstance(each, Unchanged))
    unchanged = tuple(each for each in wanted if isinstance(each, Unchanged))
    findings = () if systemd or _has_cron(inputs.host) else (NO_CRON,)
    if not operations:
        return (), unchanged, findings
    activation = ActivateTimer("systemd" if systemd else "cron")
    change = Change("renewal of certificates, twice a day", (*missing_directories(texts), *operations), activation)
    return (change,), unchanged, findings


def scheduled(inputs: Inputs) -> Mapping[Path, str]:
    """Return the files that make the renewal run; none where somebody else renews the certificates."""
    layout = inputs.layout
    if inputs.answers.certificates.method in {Method.FILES, Method.PROXY}:
        return {}
    if inputs.facts.system.init == "systemd":
        return {
            renewal.service_path(layout): renewal.service(layout, inputs.command),
            renewal.timer_path(layout): renewal.timer(layout),
        }
    return {renewal.cron_path(layout): renewal.cron(layout, inputs.command, inputs.answers.names.server_name)}


def _has_cron(host: Host) -> bool:
    """Return whether cron is there: its program, or in a private copy, which has none of its own, its directory."""
    if host.layout.private:
        return host.status(host.layout.cron) is not None
    return host.which("cron") is not None or host.which("crond") is not None


NO_CRON = "Neither systemd nor cron runs on this host: run palpo-installer renew twice a day yourself"


def saved_answers(inputs: Inputs) -> tuple[tuple[Change, ...], tuple[Unchanged, ...]]:
    """Return the change that remembers the answers for the next run."""
    layout = inputs.layout
    # What a person wrote into it are the answers now, and come back in it.
    wanted = rewrite(inputs, layout.answers, answers_file.text(inputs.answers), 0o600)
    if isinstance(wanted, Unchanged):
        return (), (wanted,)
    missing = look(layout.etc).kind == "absent"
    directory = (MakeDirectory(layout.etc, 0o700),) if missing else ()
    return (Change("the answers, for the next run", (*directory, wanted)),), ()
