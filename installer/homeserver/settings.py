"""What must stand in palpo.toml for the answers: values with the reason for each, secrets as references."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from palpo_installer.answers import Answers, Delegation, Registration
from palpo_installer.errors import AnswersError
from palpo_installer.homeserver.reading import look_up, values
from palpo_installer.layout import Layout
from palpo_installer.matrix_site import delegated, origin
from palpo_installer.secret import SecretReference

LIMITING_PROXIES = frozenset({"nginx", "haproxy"})
"""Proxies that limit logins, registrations and password checks for each client address themselves."""

PLACEHOLDER_NAME = "your.server.name"
"""Palpo does not start with this name, so nothing can belong to it."""

LISTENER = ("listeners", "address")
"""The key that stands for the one of ``[[listeners]]`` that the proxy connects to."""

OFF = {"rc_login": (0.0, 5), "rc_registration": (0.0, 3), "rc_password": (0.0, 3), "rc_message": (0.0, 50)}
"""Palpo's limiters switched off: a rate of 0; the burst must be there all the same."""

RAISED = {
    "rc_login": (1.0, 40),
    "rc_registration": (0.5, 20),
    "rc_password": (0.5, 20),
    "rc_message": (500.0, 2000),
}
"""Requests per second and burst for *all* clients together, as Palpo sees only the proxy's address."""


@dataclass(frozen=True)
class Setting:
    """One key of palpo.toml.

    Attributes:
        key: its path, e.g. ``("db", "url")``; or ``LISTENER``.
        value: what must stand there; None: the key must not be there.
        comment: why, for the administrator who reads the file; may have several lines, empty for none.
        former: for ``LISTENER`` the address that an earlier run wrote and that gives way, empty for none.
    """

    key: tuple[str, ...]
    value: str | int | float | bool | SecretReference | None
    comment: str = ""
    former: str = ""


def settings(answers: Answers, existing: bytes | None, layout: Layout) -> tuple[Setting, ...]:
    """Return what must stand in palpo.toml, in the order of a new file.

    Args:
        answers: the choices.
        existing: the file as it is, None for none. Its signing key, storage and logging stay.
        layout: ports for the published names, and the root of paths.

    Raises:
        RefusedPlan: the existing file cannot be read as TOML.
        AnswersError: neither the answers nor the file have a database URL.
    """
    file = values(existing)
    return (
        Setting(
            ("server_name",),
            answers.names.server_name,
            "The part after the colon in @user:example.com. For ever: the database belongs to this name.",
        ),
        *_registration(answers),
        Setting(
            ("max_upload_size",),
            answers.homeserver.max_upload_size,
            "Bytes. Told to clients; Palpo itself refuses uploads above 16777216 whatever stands here.",
        ),
        Setting(
            LISTENER,
            str(answers.homeserver.listen),
            "Where the reverse proxy finds Palpo. Without [[listeners]] Palpo listens on every address.",
        ),
        *_database(answers, file),
        *_well_known(answers, layout),
        *_federation(answers, file),
        *_keypair(answers, file, layout),
        *_storage(answers, file, layout),
        *(_logger() if existing is None else ()),
        *_limits(answers),
    )


def key_version(server_name: str) -> str:
    """Return the version part of the key id ``ed25519:<version>`` for the key we make for a server name.

    It is told by the name, so that a plan knows it before there is a key, and a key that is used again keeps
    its id. It is no plain ``a_1``: other servers remember keys by id, and ``a_1`` may be an earlier one.
    """
    return "a_" + hashlib.sha256(server_name.encode()).hexdigest()[:6]


def _registration(answers: Answers) -> Iterator[Setting]:
    choice, token = answers.homeserver.registration, answers.homeserver.registration_token
    if choice is Registration.TOKEN and token is None:
        raise AnswersError(
            "registration by token needs a token",
            where="homeserver.registration_token_file",
            next="Name a file that holds it, or choose registration closed or open",
        )
    yield Setting(
        ("allow_registration",),
        choice is Registration.OPEN,
        "Who may make an account: true is everybody, false is nobody, or those who know what is set below.",
    )
    # A token opens registration whatever allow_registration says, and turns an open one into one by token.
    yield Setting(
        ("registration_token",),
        token if choice is Registration.TOKEN else None,
        "Whoever knows this may make an account.",
    )


def _database(answers: Answers, file: dict[str, object]) -> Iterator[Setting]:
    if answers.homeserver.database_url is not None:
        yield Setting(
            ("db", "url"),
            answers.homeserver.database_url,
            "PostgreSQL, as a URL. Palpo speaks no TLS to it: use loopback or a unix socket.",
        )
    elif not look_up(file, ("db", "url")):
        raise AnswersError(
            "Palpo needs a database, and palpo.toml names none",
            where="homeserver.database_url",
            next="Give it as postgres://user:password@host/name, or name a file that holds it",
        )


def _well_known(answers: Answers, layout: Layout) -> Iterator[Setting]:
    yield Setting(
        ("well_known", "client"),
        origin(answers.names.client_host, layout),
        "Where clients and other servers reach Palpo, through the proxy. Unset, Palpo would tell clients\n"
        "http://<server_name>.",
    )
    yield Setting(("well_known", "server"), str(delegated(answers, layout)["m.server"]))


def _federation(answers: Answers, file: dict[str, object]) -> Iterator[Setting]:
    wanted = answers.federation.delegation is not Delegation.NONE
    if not wanted or look_up(file, ("federation", "enable")) is False:
        yield Setting(("federation", "enable"), wanted, "Whether this server talks to other Matrix servers.")


def _keypair(answers: Answers, file: dict[str, object], layout: Layout) -> Iterator[Setting]:
    name = answers.names.server_name
    # The key of another server name is not taken over: others would believe that both are one server.
    foreign = file.get("server_name", name) not in (name, PLACEHOLDER_NAME)
    if foreign or not look_up(file, ("keypair", "document")):
        yield Setting(
            ("keypair", "document"),
            SecretReference(f"signing key of {name}", "signing-key", name),
            "What this server signs with when it talks to others. Without it Palpo makes up another one at every\n"
            f"start, and other servers stop believing it. Keep a copy: there is one under {layout.etc}.",
        )
    if foreign or not look_up(file, ("keypair", "version")):
        yield Setting(("keypair", "version"), key_version(name))


def _storage(answers: Answers, file: dict[str, object], layout: Layout) -> Iterator[Setting]:
    if "storage" in file:
        return
    wanted = answers.homeserver.storage
    root = wanted if wanted.is_relative_to(layout.root) else layout.at(wanted)
    comment = "Where media lie. Palpo's own default is relative to the directory it is started in."
    yield Setting(("storage", "backend"), "fs", comment)
    yield Setting(("storage", "root"), str(root))


def _logger() -> Iterator[Setting]:
    yield Setting(("logger", "format"), "compact", "One line for each event and no colours: fit for the journal.")
    yield Setting(("logger", "ansi_colors"), value=False)


def _limits(answers: Answers) -> Iterator[Setting]:
    proxy = answers.proxy
    limited = proxy in LIMITING_PROXIES
    comment = (
        f"Palpo's limits see only the proxy's address: all clients would share them. Off (0.0), because {proxy}\n"
        "limits logins and registrations for each client address itself."
        if limited
        else "Palpo's limits see only the proxy's address: these are for all clients together, per second."
    )
    for section, (per_second, burst) in (OFF if limited else RAISED).items():
        yield Setting((section, "per_second"), per_second, comment)
        yield Setting((section, "burst"), burst)
        comment = ""
