"""The part of a plan that Palpo needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import tomlkit

from palpo_installer.answers import Address
from palpo_installer.changes import AnyOperation, Change, Edit, Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.palpo import Palpo
from palpo_installer.homeserver import inspection
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.homeserver.configuration import merge
from palpo_installer.homeserver.ownership import Owner, owner
from palpo_installer.homeserver.reading import look_up, values
from palpo_installer.homeserver.secrecy import is_secret
from palpo_installer.homeserver.settings import LISTENER, Setting, settings
from palpo_installer.operations.differences import difference
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.planning.inputs import AS_IT_SHOULD_BE, OURS, YOURS, Inputs, look, missing_directories
from palpo_installer.secret import SecretReference
from palpo_installer.services import Service
from palpo_installer.validation import address

RESTARTED_FIRST = (
    "it is restarted first, and the proxy is told as soon as it answers there. Until then requests are answered with "
    "502: for the time of the restart, and about half a second more"
)

NEVER = object()
"""Stands for a value that no run ever wrote."""


def homeserver(inputs: Inputs) -> tuple[tuple[Change, ...], tuple[Unchanged, ...], tuple[str, ...]]:
    """Return the change of palpo.toml, what of it needs nothing, and findings.

    Raises:
        RefusedPlan: something that is no regular file stands at its path, or the file cannot be edited.
        AnswersError: the file and the answers together do not make a homeserver that starts.
    """
    path = inputs.answers.homeserver.config
    now = look(path)
    if now.kind not in {"absent", "file"}:
        kind = "no regular file" if now.kind == "other" else f"a {now.kind}"
        raise RefusedPlan(f"is {kind}", where=str(path), next="Name palpo.toml itself in homeserver.config")
    existing = inputs.host.read(path)
    wanted = settings(inputs.answers, existing, inputs.layout)

    def reveal(reference: SecretReference) -> str:
        secret = inputs.reveal(reference)
        return reference.placeholder if secret is None else secret.reveal()

    kept = {edit.subject for edit in key_edits(inputs) if not edit.overwritten}
    wanted = tuple(
        replace(setting, former=former_listener(inputs)) if setting.key == LISTENER else setting
        for setting in wanted
        if _subject(setting, path) not in kept and not _is_there(setting, existing, reveal)
    )
    findings = (*inspection.findings(existing), *_how_it_runs(inputs))
    # Only a file that is there is made readable for fewer; its owner is the administrator's choice.
    rights = owner(inputs.facts.palpo) if now.kind == "absent" else Owner(now.uid, now.gid, now.mode & 0o660)
    former = str(values(existing).get("server_name", "")) if inputs.renaming else ""
    if merge(existing, wanted, reveal, former) == existing and rights.mode == now.mode:
        return (), (Unchanged(str(path), AS_IT_SHOULD_BE),), findings
    operation = ConfigurePalpo(path, wanted, rights.mode, rights.uid, rights.gid, now.sha256, former)
    operations: tuple[AnyOperation, ...] = (*missing_directories([path]), operation)
    change = Change("Palpo's configuration", operations, restart(inputs))
    return (change,), (), (*findings, *moving(inputs))


def key_edits(inputs: Inputs) -> tuple[Edit, ...]:
    """Return the values in palpo.toml that we wrote and somebody changed since."""
    path = inputs.answers.homeserver.config
    existing = inputs.host.read(path)
    if existing is None or str(path) not in inputs.ours:
        return ()
    file, wanted = values(existing), settings(inputs.answers, existing, inputs.layout)
    return tuple(
        _edit(setting, path, look_up(file, setting.key), inputs)
        for setting in wanted
        if _is_comparable(setting, inputs)
        and look_up(file, setting.key) not in (inputs.settled[setting.key], setting.value)
    )


def _is_comparable(setting: Setting, inputs: Inputs) -> bool:
    """Return whether we know what we wrote; name and listener have rules of their own, secrets none."""
    base = inputs.settled.get(setting.key, NEVER)
    secret = isinstance(setting.value, SecretReference) or isinstance(base, SecretReference)
    return base is not NEVER and not secret and setting.key not in {LISTENER, ("server_name",)}


def _edit(setting: Setting, path: Path, now: object, inputs: Inputs) -> Edit:
    base, subject = inputs.settled[setting.key], _subject(setting, path)
    key, secret = ".".join(setting.key), is_secret(setting.key)
    changed = f"{key} stays as you made it, though this run changes it too"
    return Edit(
        subject=subject,
        path=path,
        theirs="" if secret else difference(_line(key, base), _line(key, now), path, YOURS),
        ours="" if secret else difference(_line(key, base), _line(key, setting.value), path, OURS),
        kept=() if setting.value == base else (changed,),
        overwritten=inputs.gives_up(subject),
    )


def _subject(setting: Setting, path: Path) -> str:
    return f"{path}: {'.'.join(setting.key)}"


def _line(key: str, value: object) -> str:
    return "" if value is None else f"{key} = {tomlkit.item(value).as_string()}"


def former_listener(inputs: Inputs) -> str:
    """Return the address that Palpo listens on by an earlier run and shall not any more, empty for none."""
    former = inputs.settled.get(LISTENER, "")
    return str(former) if former != str(inputs.answers.homeserver.listen) else ""


def moving(inputs: Inputs) -> tuple[str, ...]:
    """Return what is to be known where Palpo is to listen on another address than before."""
    if not former_listener(inputs):
        return ()
    move = f"Palpo moves from {former_listener(inputs)} to {inputs.answers.homeserver.listen}"
    if service_of(inputs.facts.palpo) is not None:
        return (f"{move}: {RESTARTED_FIRST}",)
    if inputs.facts.palpo.runs_as == "process":
        return (f"{move}: restart it as soon as this is done; until then the proxy finds nobody there",)
    return ()


def _is_there(setting: Setting, existing: bytes | None, reveal: Callable[[SecretReference], str]) -> bool:
    """Return whether a secret is in the file already: only then does the review know that it stays."""
    if not isinstance(setting.value, SecretReference):
        return False
    return look_up(values(existing), setting.key) == reveal(setting.value)


def restart(inputs: Inputs) -> RestartPalpo:
    """Return how Palpo takes up a changed file."""
    palpo = inputs.facts.palpo
    return RestartPalpo(
        service=service_of(palpo),
        configuration=inputs.answers.homeserver.config,
        address=inputs.answers.homeserver.upstream,
        former=_former(palpo),
    )


def service_of(palpo: Palpo) -> Service | None:
    """Return Palpo as a service, None where nothing that we know of manages it."""
    if palpo.container:
        return Service("palpo", "container", container=palpo.container, runtime=palpo.runtime)
    if palpo.unit:
        return Service("palpo", "systemd", unit=palpo.unit)
    return None


def _former(palpo: Palpo) -> Address | None:
    return address(palpo.answers_at) if palpo.answers_at else None


def _how_it_runs(inputs: Inputs) -> tuple[str, ...]:
    palpo = inputs.facts.palpo
    if palpo.runs_as == "process":
        return ("Palpo runs, but no service manager runs it: restart it yourself after this",)
    if palpo.runs_as == "stopped" and not palpo.answers_at:
        return ("Palpo is not running on this host; start it when this is done",)
    return ()
