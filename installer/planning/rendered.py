"""The files that would be installed, as texts: for ``render``, which needs no root and no apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palpo_installer import answers_file
from palpo_installer.homeserver.configuration import merge
from palpo_installer.homeserver.reading import values
from palpo_installer.homeserver.settings import settings
from palpo_installer.planning.inputs import Inputs
from palpo_installer.planning.serving import Serving
from palpo_installer.planning.upkeep import scheduled
from palpo_installer.secret import SecretReference


@dataclass(frozen=True)
class RenderedFile:
    """A file as it would be installed; secrets stand as placeholders. ``target`` is set for a link."""

    path: Path
    data: bytes
    mode: int
    target: str = ""


def rendered(inputs: Inputs, serving: Serving) -> Iterator[RenderedFile]:
    """Yield every file that these answers ask for, whether it is there already or not."""
    for part in (serving.rendering.plain, serving.rendering.secure):
        for file in part.files:
            yield RenderedFile(file.path, file.text.encode(), file.mode)
        for link in part.links:
            yield RenderedFile(link.path, b"", 0, link.target)
    for hosting in serving.sites.hostings:
        file = hosting.leaflet.file
        yield RenderedFile(file.path, file.text.encode(), file.mode)
    path = inputs.answers.homeserver.config
    existing = inputs.host.read(path)
    wanted = settings(inputs.answers, existing, inputs.layout)
    former = str(values(existing).get("server_name", "")) if inputs.renaming else ""
    yield RenderedFile(path, merge(existing, wanted, _placeholder, former), 0o600)
    for place, text in scheduled(inputs).items():
        yield RenderedFile(place, text.encode(), 0o644)
    yield RenderedFile(inputs.layout.answers, answers_file.text(inputs.answers).shown.encode(), 0o600)


def _placeholder(reference: SecretReference) -> str:
    return reference.placeholder
