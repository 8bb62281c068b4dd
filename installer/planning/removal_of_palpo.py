"""What becomes of palpo.toml in a removal: it is taken back only where Palpo is not lost by that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from palpo_installer import services
from palpo_installer.answers import Address
from palpo_installer.changes import AnyOperation, Unchanged
from palpo_installer.errors import AnswersError, HostError, RefusedPlan
from palpo_installer.facts import palpo as reading
from palpo_installer.homeserver.activation import RestartPalpo
from palpo_installer.homeserver.reading import look_up, values
from palpo_installer.operations.palpo import ConfigurePalpo
from palpo_installer.operations.paths import PathState
from palpo_installer.operations.removing import PutBack
from palpo_installer.planning.homeserver import service_of
from palpo_installer.planning.inputs import look
from palpo_installer.planning.removal_of_files import is_edited, joined, kind_of, put_back
from palpo_installer.planning.scene import Scene, TakingUp, Way
from palpo_installer.planning.traces import Touched, Trace, same, touched
from palpo_installer.validation import address

IDENTITY = {
    ("server_name",): "server name",
    ("keypair", "document"): "signing key",
    ("db", "url"): "database",
}
"""What Palpo is not the same server without."""

DEFAULT_LISTENER = "0.0.0.0:8008"
"""Where Palpo listens when its file has no ``[[listeners]]`` (Palpo's ``config/server.rs``)."""


def configuration(traces: tuple[Trace, ...], scene: Scene) -> Way:
    """Return how each palpo.toml that runs in force wrote goes back, or why it stays."""
    return joined(_way(subject, look(subject.path), traces, scene) for subject in touched(traces))


def _way(subject: Touched, now: PathState, traces: tuple[Trace, ...], scene: Scene) -> Way:
    if same(now, subject.original):
        return Way()
    if now.kind == "absent":
        return Way(stays=(Unchanged(str(subject.path), "was removed by hand since, and stays away"),))
    # Its settings were merged into what was there: an edit between two runs is still in it.
    if subject.edited_between or is_edited(subject, now):
        names = ", ".join(dict.fromkeys(_set_by(traces, subject.path)))
        return Way(
            stays=(Unchanged(str(subject.path), f"was edited by hand. What palpo-installer set in it: {names}"),)
        )
    if reason := _needed(subject, scene):
        return Way(stays=(Unchanged(str(subject.path), reason),))
    return Way(((kind_of(subject), put_back(subject, now)),))


def _set_by(traces: tuple[Trace, ...], path: Path) -> Iterator[str]:
    for trace in traces:
        if isinstance(trace.operation, ConfigurePalpo) and trace.operation.path == path:
            yield from (".".join(setting.key) for setting in trace.operation.settings if setting.value is not None)


def _needed(subject: Touched, scene: Scene) -> str:
    """Return why Palpo needs the file as it is, empty where it does not."""
    uses = _uses(scene)
    if not uses:
        return ""
    if subject.original.kind == "absent":
        return f"{uses}, and it holds the server's name and its signing key"
    try:
        before, now = values(subject.copy.read_bytes()), values(scene.host.read(subject.path))
    except RefusedPlan as error:
        return f"{uses}, and it cannot be compared with the file before run {subject.run}: {error.what}"
    other = [word for key, word in IDENTITY.items() if look_up(before, key) != look_up(now, key)]
    return f"{uses}, and the file before run {subject.run} has another {', another '.join(other)}" if other else ""


def _uses(scene: Scene) -> str:
    """Return how Palpo uses its file, empty where it neither runs nor will by itself."""
    palpo = scene.facts.palpo
    if palpo.answers_at:
        return f"Palpo runs with it, at {palpo.answers_at}"
    service = service_of(palpo)
    if service is None:
        return "Palpo runs with it" if palpo.runs_as == "process" else ""
    try:
        if services.is_active(scene.host, service):
            return f"{service.unit or service.container} runs with it"
        return f"{service.unit} starts with it at boot" if services.is_enabled(scene.host, service) else ""
    except HostError:
        return f"it is not known whether {service.unit or service.container} runs with it"


def restarted(scene: Scene, operations: tuple[AnyOperation, ...]) -> TakingUp:
    """Return how Palpo takes up its earlier file; one that does not run needs nothing."""
    back = next((each for each in operations if isinstance(each, PutBack)), None)
    if back is None or not _uses(scene):
        return TakingUp()
    palpo = scene.facts.palpo
    return TakingUp(
        RestartPalpo(
            service=service_of(palpo),
            configuration=back.path,
            address=_earlier_address(scene, back),
            former=address(palpo.answers_at) if palpo.answers_at else None,
        ),
        (f"Palpo is restarted with {back.path} as it was before.",),
    )


def _earlier_address(scene: Scene, back: PutBack) -> Address:
    """Return where Palpo will answer with its earlier file: where it did, else what the file says."""
    first = next(each.activation for each in scene.traces.activations if isinstance(each.activation, RestartPalpo))
    if first.former is not None:
        return first.former
    said = reading.parse(back.path, back.copy.read_bytes()).listeners
    try:
        return address(said[0] if said else DEFAULT_LISTENER)
    except AnswersError:
        # A name may lead anywhere; the port that the proxy used is the best guess.
        return first.address
