"""The questions that most people leave empty: a separate media repository, and further well-known answers."""

from __future__ import annotations

import re

from palpo_installer import validation
from palpo_installer.answers import MEDIA_UPLOAD_SIZE, Address
from palpo_installer.errors import AnswersError
from palpo_installer.media.configuration import ServedName
from palpo_installer.questions import readers
from palpo_installer.questions.homeserver import settled_upstream
from palpo_installer.questions.question import Kind, Question, Situation


def _served(situation: Situation) -> ServedName | None:
    """Return what the configuration of a media repository says of this server name, None where there is none."""
    found = situation.facts.media
    configuration = found.configuration if found else None
    return configuration.of(situation.get("names.server_name", str) or "") if configuration else None


def _media_default(situation: Situation) -> object:
    """Return where a media repository of this very server name is."""
    found = situation.facts.media
    if found is None or not found.address or _served(situation) is None:
        return None
    return validation.address(found.address)


def _media_now(situation: Situation) -> str:
    found = situation.facts.media
    if found is None:
        return ""
    where = f" ({found.configuration.path})" if found.configuration else ""
    state = "runs" if found.running else "is there and does not run"
    return f"matrix-media-repo {state}{f' at {found.address}' if found.address else ''}{where}."


def _upload_default(situation: Situation) -> object:
    found = _served(situation)
    return (found.upload_size if found else 0) or MEDIA_UPLOAD_SIZE


def _media_settled(value: object, situation: Situation) -> object:
    name = situation.get("names.server_name", str) or ""
    if value is not None and re.search(r"[:\]]", name):
        # It cuts off everything from the first colon on (``api/_routers/03-host_detection.go``).
        raise AnswersError(
            f"a media repository cannot serve {name}: it knows servers by their name without a port",
            next="Leave it empty: Palpo keeps the media itself",
        )
    if value is not None and value == situation.get("homeserver.upstream", Address):
        raise AnswersError("this is where Palpo itself answers", next="Leave it empty without a media repository")
    return settled_upstream(value, situation)


OPTIONAL = (
    Question(
        key="media.upstream",
        text="Address of a separate media repository",
        help="For matrix-media-repo. Empty: Palpo keeps the media itself.",
        kind=Kind.ADDRESS,
        read=readers.address,
        default=_media_default,
        settle=_media_settled,
        required=False,
        now=_media_now,
        example="127.0.0.1:8000",
    ),
    Question(
        key="media.max_upload_size",
        text="Largest upload that the media repository takes",
        help="uploads.maxBytes in its configuration. The proxy answers larger ones itself.",
        kind=Kind.SIZE,
        read=readers.number(validation.size),
        default=_upload_default,
        applies=lambda situation: situation.get("media.upstream", Address) is not None,
        example="100MiB",
    ),
    Question(
        key="well_known.identity_server",
        text="Identity server that clients are told of",
        help="Empty: none, as for most servers.",
        kind=Kind.URL,
        read=readers.text(validation.https_url),
        required=False,
        example="https://identity.example.com",
    ),
    Question(
        key="well_known.support",
        text="Contact for the server: an e-mail address, a Matrix ID or a page",
        help="Published at /.well-known/matrix/support for everyone to read. Empty: none.",
        kind=Kind.CONTACT,
        read=readers.text(validation.contact),
        required=False,
        example="admin@example.com",
    ),
    Question(
        key="well_known.rtc_foci",
        text="LiveKit services for calls, separated by commas",
        help="Empty: none.",
        kind=Kind.LIST,
        read=readers.urls,
        required=False,
        example="https://livekit.example.com/jwt",
    ),
)
