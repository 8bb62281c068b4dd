"""The questions that most people leave empty: a separate media repository, and further well-known answers."""

from __future__ import annotations

from palpo_installer import validation
from palpo_installer.answers import Address
from palpo_installer.errors import AnswersError
from palpo_installer.questions import readers
from palpo_installer.questions.homeserver import settled_upstream
from palpo_installer.questions.question import Kind, Question, Situation


def _media_settled(value: object, situation: Situation) -> object:
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
        settle=_media_settled,
        required=False,
        example="127.0.0.1:8000",
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
