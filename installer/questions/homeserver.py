"""The questions about Palpo, the media repository and the optional well-known answers."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from palpo_installer import validation
from palpo_installer.answers import Address, Registration
from palpo_installer.errors import AnswersError
from palpo_installer.layout import Layout
from palpo_installer.questions import readers
from palpo_installer.questions.federation import has_own_port
from palpo_installer.questions.names import configuration
from palpo_installer.questions.question import Choice, Kind, Question, Situation

CONFIGURATION = "/etc/palpo/palpo.toml"
STORAGE = "/var/lib/palpo/media"
UPSTREAM = Address("127.0.0.1", 8008)
UPLOAD_SIZE = 16 * validation.MIB
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def placed(path: Path, layout: Layout) -> Path:
    """Return where a path is under a layout: below its root, also when it was given as on a host."""
    return path if path.is_relative_to(layout.root) else layout.at(path)


def _config_default(situation: Situation) -> object:
    found = configuration(situation)
    return found.path if found else situation.layout.at(CONFIGURATION)


def _config_settled(value: object, situation: Situation) -> object:
    path = Path(str(value))
    if path.suffix != ".toml":
        raise AnswersError("Palpo tells the format from the ending", next="Type a path that ends in .toml")
    return placed(path, situation.layout)


def _in_container(situation: Situation) -> bool:
    return situation.facts.palpo.runs_as == "container"


def _parsed(text: str) -> Address | None:
    try:
        return validation.address(text)
    except AnswersError:
        return None


def _on_loopback(address: Address) -> Address:
    """Return the loopback address of the same family for a wildcard, any other address as it is."""
    ip = ipaddress.ip_address(address.host)
    return Address(LOOPBACK[ip.version], address.port) if ip.is_unspecified else address


def _listen_default(situation: Situation) -> object:
    """Return the listener that Palpo has; a wildcard is narrowed to loopback, but not in a container.

    A container's loopback is not the host's, and only the proxy needs to reach the listener elsewhere.
    """
    palpo, found = situation.facts.palpo, configuration(situation)
    written = [address for text in (found.listeners if found else ()) if (address := _parsed(text))]
    if _in_container(situation):
        return written[0] if written else Address("0.0.0.0", UPSTREAM.port)  # noqa: S104
    answers_at = _parsed(palpo.answers_at)
    answering = [address for address in written if answers_at and address.port == answers_at.port]
    passed = situation.facts.matrix.upstream
    behind = _parsed(passed.value) if passed else None
    here = behind if behind and _is_here(behind, situation) and behind.port not in _taken_ports(situation) else None
    return _on_loopback(next(iter((*answering, *written)), answers_at or here or UPSTREAM))


def _upstream_default(situation: Situation) -> object:
    if _in_container(situation):
        return _parsed(situation.facts.palpo.answers_at) or UPSTREAM
    return _on_loopback(situation.answer("homeserver.listen", Address))


def _is_here(address: Address, situation: Situation) -> bool:
    ip = ipaddress.ip_address(address.host)
    return ip.is_loopback or ip.is_unspecified or address.host in situation.facts.system.addresses


def _taken_ports(situation: Situation) -> set[int]:
    """Return the ports that the proxy itself listens on."""
    own = {situation.answer("federation.port", int)} if has_own_port(situation) else set()
    return {situation.layout.http_port, situation.layout.https_port, *own}


def _listen_settled(value: object, situation: Situation) -> object:
    if isinstance(value, Address) and not _in_container(situation) and value.port in _taken_ports(situation):
        raise AnswersError("the proxy listens on this port itself", next="Choose another port, as in 127.0.0.1:8008")
    return value


def settled_upstream(value: object, situation: Situation) -> object:
    """Return an address that the proxy connects to, which must not be the proxy's own."""
    if not isinstance(value, Address):
        return value
    if ipaddress.ip_address(value.host).is_unspecified:
        raise AnswersError("this is no address to connect to", next=f"Use {_on_loopback(value)}")
    if _is_here(value, situation) and value.port in _taken_ports(situation):
        raise AnswersError("the proxy would connect to itself", next="Type where Palpo listens, as in 127.0.0.1:8008")
    return value


def _upload_default(situation: Situation) -> object:
    """Return the limit that is there; what Palpo itself does not take is not carried over."""
    told = situation.facts.matrix.upload
    size = int(told.value) if told else UPLOAD_SIZE
    return size if validation.SMALLEST_SIZE <= size <= UPLOAD_SIZE else UPLOAD_SIZE


def _keeps_database(situation: Situation) -> bool:
    """Return whether a usable palpo.toml is there, whose database stays."""
    path = situation.answer("homeserver.config", Path)
    return any(
        found.path == path and found.server_name and not found.problem for found in situation.facts.palpo.configurations
    )


def _database_file_settled(value: object, situation: Situation) -> object:
    if value is None and not _keeps_database(situation):
        raise AnswersError(
            "Palpo needs a PostgreSQL database",
            where="homeserver.database_url",
            next="Set it to a URL, or homeserver.database_url_file to the path of a file that holds the URL",
        )
    return value


def _token_file_settled(value: object, _: Situation) -> object:
    if value is None:
        raise AnswersError(
            "registration by token needs a token",
            where="homeserver.registration_token",
            next="Set it, or homeserver.registration_token_file to the path of a file that holds it",
        )
    return value


def _with_token(situation: Situation) -> bool:
    return situation.get("homeserver.registration", Registration) is Registration.TOKEN


HOMESERVER = (
    Question(
        key="homeserver.config",
        text="Palpo's configuration file",
        help="An existing file is kept with its comments; only what is needed changes.",
        kind=Kind.PATH,
        read=readers.path,
        default=_config_default,
        settle=_config_settled,
        example=CONFIGURATION,
    ),
    Question(
        key="homeserver.listen",
        text="Address that Palpo listens on",
        help="Written to its configuration file. A loopback address keeps it from everyone but the proxy.",
        kind=Kind.ADDRESS,
        read=readers.address,
        default=_listen_default,
        found=lambda situation: situation.facts.matrix.upstream,
        settle=_listen_settled,
        example=str(UPSTREAM),
    ),
    Question(
        key="homeserver.upstream",
        text="Address that the proxy connects to",
        help="The same, but for Palpo in a container: then it is the port that the container publishes.",
        kind=Kind.ADDRESS,
        read=readers.address,
        default=_upstream_default,
        found=lambda situation: situation.facts.matrix.upstream,
        settle=settled_upstream,
        example=str(UPSTREAM),
    ),
    Question(
        key="homeserver.database_url",
        text="URL of Palpo's PostgreSQL database",
        help="It holds the password, so it is never shown. Empty: a file or palpo.toml has it.",
        kind=Kind.SECRET,
        read=readers.secret(validation.database_url),
        required=False,
        example="postgres://palpo:PASSWORD@127.0.0.1:5432/palpo",
    ),
    Question(
        key="homeserver.database_url_file",
        text="File that holds the URL of Palpo's database",
        help="Read when the changes are made. Empty: palpo.toml has the URL already.",
        kind=Kind.SECRET_FILE,
        read=readers.path,
        settle=_database_file_settled,
        applies=lambda situation: "homeserver.database_url" not in situation.earlier,
        required=False,
        example="/root/palpo-database-url",
    ),
    Question(
        key="homeserver.registration",
        text="Who may make an account",
        help="An open server is found and used for spam within days.",
        kind=Kind.CHOICE,
        read=readers.choice(Registration),
        default=lambda _: Registration.CLOSED,
        choices=(
            Choice(Registration.CLOSED, "nobody", "The administrator makes accounts on the command line."),
            Choice(Registration.TOKEN, "who has a token", "A word that you give to the people you invite."),
            Choice(Registration.OPEN, "everybody", "Without any check."),
        ),
    ),
    Question(
        key="homeserver.registration_token",
        text="Token for registration",
        help="1 to 64 letters, digits and . _ ~ -. Empty: it stands in a file.",
        kind=Kind.SECRET,
        read=readers.secret(validation.registration_token),
        applies=_with_token,
        required=False,
        example="a-word-that-is-hard-to-guess",
    ),
    Question(
        key="homeserver.registration_token_file",
        text="File that holds the token for registration",
        help="Read when the changes are made.",
        kind=Kind.SECRET_FILE,
        read=readers.path,
        settle=_token_file_settled,
        applies=lambda situation: _with_token(situation) and "homeserver.registration_token" not in situation.earlier,
        required=False,
        example="/root/palpo-registration-token",
    ),
    Question(
        key="homeserver.max_upload_size",
        text="Largest upload",
        help="Palpo itself refuses most bodies above 16 MiB, whatever stands here.",
        kind=Kind.SIZE,
        read=readers.number(validation.size),
        default=_upload_default,
        found=lambda situation: situation.facts.matrix.upload,
        example="16MiB",
    ),
    Question(
        key="homeserver.storage",
        text="Directory for media",
        help="Palpo's user must be able to write there.",
        kind=Kind.PATH,
        read=readers.path,
        default=lambda situation: situation.layout.at(STORAGE),
        settle=lambda value, situation: placed(Path(str(value)), situation.layout),
        example=STORAGE,
    ),
)
