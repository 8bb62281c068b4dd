"""The Matrix configuration that is there becomes the defaults of the questions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.conversation import talk
from palpo_installer.facts import Facts, matrix
from palpo_installer.facts.matrix import Matrix
from palpo_installer.facts.names import Name, ServiceRecord
from palpo_installer.host import Host
from palpo_installer.questions import resolve
from tests.audit.made import SERVER, SITE, TOML, host_with, known, trapped
from tests.situations import DATABASE, FEWEST

CHAT = SERVER.replace("matrix.example.com", "chat.example.com").replace("127.0.0.1:8008", "127.0.0.1:6167")
OWN_PORT = trapped(
    ("""return 200 '{"m.server":"chat.example.com:443"}';""", "return 404;"),
    ("    listen 443 ssl http2;\n", "    listen 443 ssl http2;\n    listen 8448 ssl;\n"),
    (
        "    location = /.well-known/matrix/client",
        "    location /_matrix/ { proxy_pass http://127.0.0.1:6167; }\n    location = /.well-known/matrix/client",
    ),
    text=CHAT,
)


def found_on(host: Host) -> Facts:
    """Return the facts of a host with what its configuration says."""
    facts = known(host)
    return replace(facts, matrix=matrix.read(host, facts.nginx, facts.palpo))


def shown(facts: Facts, host: Host, **given: object) -> dict[str, tuple[str, str]]:
    """Return what stands in each field, and where it is from."""
    fields = talk({key.replace("__", "."): value for key, value in given.items()}, facts, host.layout).fields
    return {field.question.key: (field.shown, field.source.removeprefix(str(host.layout.root))) for field in fields}


def test_what_nginx_says_becomes_the_defaults(tmp_path: Path) -> None:
    """Without a palpo.toml: names from the documents, delegation, upstream and upload limit, each with its line."""
    host = host_with(tmp_path, trapped(("body_size 16m", "body_size 10m"), text=CHAT), None)
    fields = shown(found_on(host), host)
    assert fields["names.server_name"] == ("example.com", f"{SITE}:1")
    assert fields["names.client_host"] == ("chat.example.com", f"{SITE}:10")
    assert fields["federation.delegation"] == ("well-known", f"{SITE}:14")
    assert fields["homeserver.listen"] == ("127.0.0.1:6167", f"{SITE}:29")
    assert fields["homeserver.upstream"] == ("127.0.0.1:6167", f"{SITE}:29")
    assert fields["homeserver.max_upload_size"] == ("10MiB", f"{SITE}:24")


def test_palpo_toml_comes_first(tmp_path: Path) -> None:
    """Its server name and its listener are what Palpo uses."""
    host = host_with(tmp_path, CHAT)
    fields = shown(found_on(host), host)
    assert fields["names.server_name"] == ("example.com", f"{TOML}:1")
    assert fields["homeserver.listen"] == ("127.0.0.1:8008", "")


def test_what_was_chosen_is_not_found_anywhere(tmp_path: Path) -> None:
    """A typed answer has no source, and another server name has none of the old one's defaults."""
    host = host_with(tmp_path, CHAT, None)
    fields = shown(found_on(host), host, names__server_name="other.example")
    assert fields["names.server_name"] == ("other.example", "")
    assert fields["names.client_host"] == ("matrix.other.example", "")


@pytest.mark.parametrize(("records", "delegation"), [((), "direct"), ((ServiceRecord(10, 0, 8448, "x"),), "srv")])
def test_a_port_of_its_own_is_direct_or_srv(
    tmp_path: Path, records: tuple[ServiceRecord, ...], delegation: str
) -> None:
    """DNS tells which of the two."""
    host = host_with(tmp_path, OWN_PORT, None)
    facts = replace(found_on(host), names=(Name("example.com", (), "", records, (), (), ""),))
    fields = shown(facts, host)
    assert fields["federation.delegation"][0] == delegation
    assert fields["federation.port"] == ("8448", f"{SITE}:3")


def test_a_limit_that_palpo_does_not_take_is_not_carried_over(tmp_path: Path) -> None:
    """Nor is an upstream that is no address of this host."""
    there = trapped(("body_size 16m", "body_size 50m"), ("127.0.0.1:6167", "192.0.2.77:8008"), text=CHAT)
    host = host_with(tmp_path, there, None)
    fields = shown(found_on(host), host)
    assert fields["homeserver.max_upload_size"] == ("16MiB", "")
    assert fields["homeserver.listen"] == ("127.0.0.1:8008", "")


def test_answers_without_a_person_follow_too(tmp_path: Path) -> None:
    """The same defaults hold for a file of answers; an empty host has none of them."""
    host = host_with(tmp_path, CHAT, None)
    given = {"homeserver.database_url": DATABASE, "certificates.agree_terms": True, "names.base_domain": "elsewhere"}
    assert resolve(given, found_on(host), host.layout).answers.names.client_host == "chat.example.com"
    empty = replace(found_on(host), matrix=Matrix())
    assert resolve({**given, **FEWEST}, empty, host.layout).answers.names.client_host == "matrix.example.com"
    assert not Matrix()
