"""The part of a plan that Palpo needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from palpo_installer.answers import Address
from palpo_installer.changes import AnyOperation, Change, Unchanged
from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.palpo import Palpo
from palpo_installer.homeserver import inspection
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.homeserver.configuration import merge
from palpo_installer.homeserver.ownership import Owner, owner
from palpo_installer.homeserver.reading import look_up, values
from palpo_installer.homeserver.settings import LISTENER, Setting, settings
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.planning.inputs import AS_IT_SHOULD_BE, Inputs, look, missing_directories
from palpo_installer.secret import SecretReference
from palpo_installer.services import Service
from palpo_installer.validation import address

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

    edited = tuple(setting for setting in wanted if _was_edited(setting, existing, inputs))
    wanted = tuple(s for s in wanted if s not in edited and not _is_there(s, existing, reveal))
    findings = (*inspection.findings(existing), *(_kept(setting, path) for setting in edited), *_how_it_runs(inputs))
    # Only a file that is there is made readable for fewer; its owner is the administrator's choice.
    rights = owner(inputs.facts.palpo) if now.kind == "absent" else Owner(now.uid, now.gid, now.mode & 0o660)
    if merge(existing, wanted, reveal) == existing and rights.mode == now.mode:
        return (), (Unchanged(str(path), AS_IT_SHOULD_BE),), findings
    operation = ConfigurePalpo(path, wanted, rights.mode, rights.uid, rights.gid, now.sha256)
    operations: tuple[AnyOperation, ...] = (*missing_directories([path]), operation)
    return (Change("Palpo's configuration", operations, restart(inputs)),), (), findings


def _was_edited(setting: Setting, existing: bytes | None, inputs: Inputs) -> bool:
    """Return whether somebody changed a value that we wrote, while the answer for it is still the same."""
    if existing is None or setting.key == LISTENER or isinstance(setting.value, SecretReference):
        return False
    ours = inputs.settled.get(setting.key, NEVER)
    return ours == setting.value and look_up(values(existing), setting.key) != setting.value


def _kept(setting: Setting, path: Path) -> str:
    return f"{'.'.join(setting.key)} in {path} was changed by hand, and stays as it is"


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
