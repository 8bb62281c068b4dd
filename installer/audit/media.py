"""Judges the media repository beside Palpo by its own configuration."""

from __future__ import annotations

from collections.abc import Callable

from palpo_installer.answers import Address
from palpo_installer.audit.finding import Proxied, Unread
from palpo_installer.audit.palpo import Read as Homeserver
from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts
from palpo_installer.media.checking import Expected, judged
from palpo_installer.media.keys import of_document
from palpo_installer.validation import address


def read(facts: Facts, homeserver: Homeserver, note: Callable[[Unread], None]) -> Proxied:
    """Return what there is to say of it; a configuration that cannot be read is noted."""
    found = facts.media
    if found is None:
        return Proxied()
    if found.configuration is None or found.configuration.problem:
        configuration = found.configuration
        where = f" ({configuration.path})" if configuration else ""
        why = configuration.problem if configuration else "media-repo.yaml was not found"
        note(Unread(f"the media repository{where}", why, "Its homeservers must name the server name, not the host"))
        return Proxied()
    findings = tuple(judged(found, _expected(facts, homeserver)))
    return Proxied(findings, (str(found.configuration.path),))


def _expected(facts: Facts, homeserver: Homeserver) -> Expected:
    """Return what it has to fit, as far as that is known from what is there."""
    told, file = facts.matrix, homeserver.file
    version = file.said("keypair", "version") if file else None
    return Expected(
        server_name=homeserver.server_name or (told.server_name.value if told.server_name else ""),
        client_host=told.client_host.value.lower() if told.client_host else "",
        homeserver=_address(facts.palpo.answers_at) or _address(told.upstream.value if told.upstream else ""),
        palpo_file=file.path if file else None,
        key_version=version if isinstance(version, str) else "",
        public_key=of_document(file.said("keypair", "document")) if file else "",
    )


def _address(text: str) -> Address | None:
    try:
        return address(text)
    except AnswersError:
        return None
