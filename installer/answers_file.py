"""answers.toml: read, given on the command line, and written back with every key explained."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import tomlkit
from tomlkit.container import Container
from tomlkit.items import Table

from palpo_installer.answers import Answers, BaseDomain, Delegation
from palpo_installer.errors import AnswersError
from palpo_installer.questions import QUESTIONS, SECRET_KEYS, Kind, Question, question_for
from palpo_installer.secret import SecretReference, Text
from palpo_installer.validation import shown_size

VERSION = 1
LARGEST_FILE = 1 << 20

HEADER = (
    "The answers of palpo-installer. It reads this file again for every later run, and writes it after one",
    "that is complete. What is commented out has no answer, but an example.",
)
PLACE = re.compile(r" \(at (?:line (?P<line>[0-9]+), column [0-9]+|end of document)\)$")


def load(path: Path) -> dict[str, object]:
    """Return the raw values of a file of answers by dotted key, without its version.

    Raises:
        AnswersError: it cannot be read, is no TOML, or was written by a newer version.
    """
    document = _document(_content(path))
    if isinstance(document, AnswersError):
        raise AnswersError(document.what, where=f"{path}{document.where}", next=document.next)
    version = document.pop("version", VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise AnswersError("the version is a whole number", where=f"{path}: version", next=f"Write version = {VERSION}")
    if version > VERSION:
        raise AnswersError(
            f"the file has version {version}, and this palpo-installer knows versions up to {VERSION}",
            where=str(path),
            next="Use a newer palpo-installer",
        )
    return dict(_flat((), document))


def findings(path: Path, values: Mapping[str, object]) -> tuple[str, ...]:
    """Return what is wrong with a file of answers though it can be used: others can read its secrets."""
    held = [key for key in SECRET_KEYS if values.get(key)]
    mode = stat.S_IMODE(path.stat().st_mode)
    if not held or not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ()
    return (f"{path} holds {' and '.join(held)} and is open to other users (mode {mode:04o}): chmod 600 {path}",)


def assignments(items: Iterable[str]) -> dict[str, object]:
    """Return raw values from ``key=value`` words of the command line; a later word replaces an earlier one.

    Each is checked for its form and has the type that a TOML file would give it. An empty value takes an
    answer away.

    Raises:
        AnswersError: a word has another form, its key is unknown or a secret, its value not usable.
    """
    values: dict[str, object] = {}
    for item in items:
        key, equals, raw = item.partition("=")
        if not equals:
            # The word itself is not repeated: it may be a secret that was typed in the wrong place.
            raise AnswersError("a word has no =", where="--set", next="Write it as in --set federation.port=8448")
        question = question_for(key)
        if question.secret and raw:
            raise AnswersError(
                "it would be visible to other users of this host in the process list",
                where=key,
                next=f"Put it in a file and use --set {key}_file=PATH",
            )
        values[key] = _typed(question, raw) if raw and key == question.key else raw
    return values


def text(answers: Answers) -> Text:
    """Return answers.toml: every key with a comment, secrets as placeholders."""
    document = tomlkit.document()
    for line in HEADER:
        document.add(tomlkit.comment(line))
    document.add("version", tomlkit.item(VERSION))
    values = plain(answers)
    for question in QUESTIONS:
        section, _, name = question.key.partition(".")
        if section not in document:
            document.add(tomlkit.nl())
            document.add(section, tomlkit.table())
        table = document[section]
        if isinstance(table, Table) and question.key != "certificates.files":
            _write(table, name, question, values.get(question.key))
    _write_files(document, answers)
    homeserver = answers.homeserver
    references = (homeserver.database_url, homeserver.registration_token)
    secrets = tuple(one for one in references if one is not None and one.source == "answer")
    return Text(tomlkit.dumps(document), secrets)


def plain(answers: Answers) -> dict[str, object]:
    """Return answers as values of TOML by key; secrets as placeholders; what has no answer is not in it."""
    names, homeserver, well_known = answers.names, answers.homeserver, answers.well_known
    certificates = answers.certificates
    values: dict[str, object] = {
        "names.server_name": names.server_name,
        "names.client_host": names.client_host,
        "names.base_domain": names.base_domain.value,
        "federation.delegation": answers.federation.delegation.value,
        "federation.port": answers.federation.port,
        "proxy.kind": answers.proxy,
        "homeserver.config": homeserver.config,
        "homeserver.listen": homeserver.listen,
        "homeserver.upstream": homeserver.upstream,
        **_secret("homeserver.database_url", homeserver.database_url),
        "homeserver.registration": homeserver.registration.value,
        **_secret("homeserver.registration_token", homeserver.registration_token),
        "homeserver.max_upload_size": shown_size(homeserver.max_upload_size),
        "homeserver.storage": homeserver.storage,
        "media.upstream": answers.media,
        "media.max_upload_size": shown_size(answers.media_upload_size) if answers.media else "",
        "well_known.identity_server": well_known.identity_server,
        "well_known.support": well_known.support,
        "well_known.rtc_foci": list(well_known.rtc_foci),
        "certificates.base_domain": certificates.base_domain.value if _chooses_certificate(answers) else "",
        "certificates.method": certificates.method.value,
        "certificates.directory": certificates.directory,
        "certificates.email": certificates.email,
        "certificates.agree_terms": certificates.agree_terms,
        "certificates.ca_file": certificates.ca_file,
        "certificates.eab_file": certificates.eab_file,
        "certificates.proxy": certificates.proxy,
        "host.selinux": answers.host.selinux,
        "host.firewall": answers.host.firewall,
    }
    written = {
        key: value if isinstance(value, bool | int | list) else str(value or "") for key, value in values.items()
    }
    return {key: value for key, value in written.items() if value not in ("", [])}


def _chooses_certificate(answers: Answers) -> bool:
    own_port = answers.federation.delegation in {Delegation.SRV, Delegation.DIRECT}
    return own_port and answers.names.base_domain is BaseDomain.EXISTING


def _typed(question: Question, raw: str) -> object:
    """Return text as the value of TOML that it stands for."""
    match question.parse(raw):
        case bool() | int() as value:
            return value
        case tuple() as values:
            return list(values)
        case _:
            return raw


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise AnswersError(f"the answers cannot be read: {reason}", where=str(path)) from None
    if len(content) > LARGEST_FILE:
        raise AnswersError("this is no file of answers: it is larger than 1 MiB", where=str(path))
    return content


def _document(content: bytes) -> dict[str, object] | AnswersError:
    """Return the document, or the error with ``:line`` as its place."""
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return AnswersError("this is not UTF-8", where=f":{line}", next="Save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        place = PLACE.search(str(error))
        last = content.rstrip().count(b"\n") + 1
        line = int(place["line"]) if place and place["line"] else last
        return AnswersError(f"this is no TOML: {PLACE.sub('', str(error)).lower()}", where=f":{line}")
    except RecursionError:
        return AnswersError("this is no file of answers: it is nested too deeply", where="")


def _flat(parents: tuple[str, ...], table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield dotted keys; the rows of the table of files are named by host names, which have dots themselves."""
    for name, value in table.items():
        keys = (*parents, name)
        if isinstance(value, Mapping):
            yield from _flat(keys, value)
        elif keys[:2] == ("certificates", "files") and len(keys) > 3:
            yield f'certificates.files."{".".join(keys[2:-1])}".{name}', value
        else:
            yield ".".join(keys), value


def _secret(key: str, reference: SecretReference | None) -> dict[str, object]:
    if reference is None:
        return {}
    return {f"{key}_file": reference.locator} if reference.source == "file" else {key: reference.placeholder}


def _write(table: Table, name: str, question: Question, value: object) -> None:
    table.add(tomlkit.comment(_explained(question)))
    if value is not None:
        table.add(name, tomlkit.item(value))
    else:
        example = [question.example] if question.kind is Kind.LIST else question.example
        table.add(tomlkit.comment(f"{name} = {tomlkit.item(example).as_string()}"))


def _explained(question: Question) -> str:
    """Return what stands above an answer: the question, and what may be chosen in this version."""
    choices = " | ".join(choice.value for choice in question.available if question.kind is Kind.CHOICE)
    return f"{question.text}: {choices}" if choices else question.text


def _write_files(document: Container, answers: Answers) -> None:
    table = document["certificates"]
    if not isinstance(table, Table):
        return
    question = question_for("certificates.files")
    table.add(tomlkit.comment(question.text if answers.certificates.files else f"{question.text}: {question.example}"))
    files = tomlkit.table(is_super_table=True)
    for name, one in answers.certificates.files.items():
        row = tomlkit.table()
        row.add("chain", str(one.chain))
        row.add("key", str(one.key))
        files.add(name, row)
    if answers.certificates.files:
        table.add("files", files)
