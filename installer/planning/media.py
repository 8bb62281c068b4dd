"""What a person should know about the media repository beside Palpo: its own configuration is theirs to write."""

from __future__ import annotations

from collections.abc import Iterator

from palpo_installer.audit.finding import Finding
from palpo_installer.homeserver.reading import look_up, values
from palpo_installer.homeserver.settings import settings
from palpo_installer.media.checking import KEY, UNSIGNED, Expected, judged, key_commands, wanted
from palpo_installer.media.keys import of_document
from palpo_installer.planning.inputs import Inputs
from palpo_installer.secret import SecretReference

VERSION, DOCUMENT = ("keypair", "version"), ("keypair", "document")
"""Where palpo.toml has its signing key."""


def findings(inputs: Inputs) -> Iterator[str]:
    """Yield what its configuration lacks, or what it must say where it cannot be read; nothing without one."""
    media, found = inputs.answers.media, inputs.facts.media
    if media is None:
        return
    expected, directory = expectation(inputs), inputs.answers.homeserver.storage
    if inputs.host.names(directory):
        yield f"{directory} holds media that Palpo has kept: behind a media repository they are not found any more"
    configuration = found.configuration if found else None
    if found is None or configuration is None or configuration.problem:
        where = f" ({configuration.path}: {configuration.problem})" if configuration else ""
        said = wanted(expected, contained=found is not None and bool(found.container))
        key = "; ".join(key_commands(expected, KEY, found.account if found else ""))
        yield f"media-repo.yaml of the media repository at {media} could not be read here{where}. It must say: {said}"
        yield (
            "The media repository signs requests to other servers with Palpo's key; when palpo.toml is written, make "
            f"its file with: {key}"
        )
        return
    for each in judged(found, expected):
        yield in_words(each)


def expectation(inputs: Inputs) -> Expected:
    """Return what its configuration has to fit."""
    answers = inputs.answers
    version, public = _key(inputs)
    return Expected(
        server_name=answers.names.server_name,
        client_host=answers.names.client_host,
        homeserver=answers.homeserver.upstream,
        media=answers.media,
        upload_size=answers.media_upload_size,
        palpo_file=answers.homeserver.config,
        key_version=version,
        public_key=public,
    )


def _key(inputs: Inputs) -> tuple[str, str]:
    """Return version and public half of the key that palpo.toml has afterwards; the half is empty until there is one.

    Another server name has another key, so what the file says now may be the one that is given up.
    """
    answers, existing = inputs.answers, inputs.host.read(inputs.answers.homeserver.config)
    said = values(existing)
    coming = {each.key: each.value for each in settings(answers, existing, inputs.layout)}
    version, document = (coming.get(path, look_up(said, path)) for path in (VERSION, DOCUMENT))
    if isinstance(document, SecretReference):
        made = inputs.reveal(document)
        document = made.reveal() if made else ""
    return str(version), of_document(document)


def in_words(finding: Finding) -> str:
    """Return a finding as one text, with what to write.

    Commands are left to the audit, which prints them line by line, and when palpo.toml has the key that they read.
    """
    cure = f"{finding.cure} {'; '.join(finding.lines)}".rstrip()
    if finding.rule == UNSIGNED.rule:
        cure = f"{finding.cure.removesuffix(':')}; `palpo-installer audit` prints the commands once this is done."
    return f"The media repository ({finding.file}:{finding.line}): {finding.what}. {finding.why} {cure}"
