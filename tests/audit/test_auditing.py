"""The audit as a whole: documented configurations, what cannot be read, copies of hosts, words."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.audit import others
from palpo_installer.audit.auditing import audit
from palpo_installer.audit.finding import Audit, Unread
from palpo_installer.audit.report import describe, summary
from palpo_installer.facts import matrix
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.serialization import dump, load
from tests.audit.made import NOW, SERVER, SITE, SOUND, TOML, audited, host_with, known, rules, trapped
from tests.media.made import PATH as MEDIA_FILE
from tests.media.made import edited as media_text
from tests.media.made import repository as media_repository
from tests.situations import facts as of_host

DOCUMENTED = """\
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    listen 8448 ssl default_server;
    listen [::]:8448 ssl default_server;
    server_name matrix.example.com;
    ssl_certificate /etc/letsencrypt/live/matrix.example.com/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/matrix.example.com/privkey.pem;

    location ~ ^(/_matrix|/_palpo/client) {
        proxy_pass http://localhost:8008;
        proxy_set_header Host $host:$server_port;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_http_version 1.1;
        client_max_body_size 50M;
    }
}
"""
"""A site of our own writing with the traps of the one in Palpo's documentation."""

DOCUMENTED_TOML = trapped(
    ('[[listeners]]\naddress = "127.0.0.1:8008"\n', 'x_forwarded = true\nbind_addresses = ["127.0.0.1"]\n'),
    ('[well_known]\nclient = "https://matrix.example.com"\nserver = "matrix.example.com:443"\n', ""),
    text=SOUND,
)


def test_the_documented_configuration_has_exactly_these_traps(tmp_path: Path) -> None:
    """Each on its line, and nothing else."""
    host = host_with(tmp_path, DOCUMENTED, DOCUMENTED_TOML)
    found = [(each.line, each.rule) for each in audited(host).findings if each.file == tmp_path / SITE[1:]]
    assert sorted(found) == sorted(
        [
            (1, "header-limit"),
            (2, "http2-missing"),
            (4, "federation-certificate"),
            (4, "federation-default-server"),
            (10, "segment-boundary"),
            (11, "several-peers"),
            (11, "read-timeout"),
            (11, "client-headers"),
            (11, "admin-through-dots"),
            (12, "host-header"),
        ]
    )
    toml = [(each.line, each.rule) for each in audited(host).findings if each.file == tmp_path / TOML[1:]]
    assert sorted(toml) == [
        (1, "palpo-public-listener"),
        (1, "palpo-well-known-unset"),
        (4, "palpo-unknown-key"),
        (5, "palpo-unknown-key"),
    ]


def test_an_audit_is_the_same_as_json(tmp_path: Path) -> None:
    """What programs read is the whole of it."""
    found = audited(host_with(tmp_path, DOCUMENTED))
    assert load(dump(found), Audit) == found


def test_the_words_fit_and_name_file_line_and_cure(tmp_path: Path) -> None:
    """By file; 77 columns but for what must be copied; the summary counts."""
    text = describe(audited(host_with(tmp_path, DOCUMENTED)))
    assert f"\n{tmp_path}{SITE}\n" in text
    assert "   11  BREAKS  matrix.example.com: " in text
    assert "\n                   proxy_pass http://127.0.0.1:8008;\n" in text
    long = [line for line in text.splitlines() if len(line) > 77 and str(tmp_path) not in line]
    assert not long
    assert text.endswith("6 traps (2 breaking, 4 weakening), 3 to know.\n")


def test_no_matrix_is_no_praise(tmp_path: Path) -> None:
    """Nothing there, and only other things there, are said as such."""
    empty = Host(Layout(tmp_path))
    assert summary(audit(empty, of_host())) == "No Matrix configuration was found on this host."
    shop = "server { listen 80; server_name shop.example; location / { proxy_pass http://127.0.0.1:3000; } }"
    assert summary(audited(host_with(tmp_path, shop, None))) == "No Matrix configuration was found on this host."


def test_a_copy_is_read_and_not_this_machine(tmp_path: Path) -> None:
    """Absolute includes of a copy lead into the copy; the directory beside it is another host's."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "trap.conf").write_text(DOCUMENTED)
    host = host_with(tmp_path / "copy", SERVER)
    main = host.layout.at("/etc/nginx/nginx.conf")
    main.write_text(main.read_text().replace("include", f"include {elsewhere}/*.conf;\n    include"))
    assert audited(host).findings == ()
    deep = host.layout.at(f"{elsewhere}/trap.conf")
    deep.parent.mkdir(parents=True)
    deep.write_text(DOCUMENTED)
    assert {each.file for each in audited(host).findings} == {deep}


def test_a_copy_needs_no_nginx(tmp_path: Path) -> None:
    """Without the program everything is read that does not rest on its version."""
    host = host_with(tmp_path, DOCUMENTED, None)
    found = rules(audit(host, of_host()))
    assert "several-peers" in found
    assert "http2-missing" not in found


def test_a_proxy_that_is_not_read_is_named(tmp_path: Path) -> None:
    """Also where there is nothing else: it is no sound configuration."""
    host = host_with(tmp_path, "", None)
    host.layout.at("/etc/caddy").mkdir()
    host.layout.at("/etc/haproxy").mkdir()
    found = audited(host)
    assert [each.subject for each in found.unread] == ["Caddy (/etc/caddy)", "HAProxy (/etc/haproxy)"]
    assert all("not read by this version" in each.why for each in found.unread)
    assert summary(found) == "0 traps in what could be read; 2 things could not be judged."


def test_a_proxy_that_has_a_reader_is_named_no_more(tmp_path: Path) -> None:
    """The reader itself says what it could not read."""
    host = host_with(tmp_path, "", None)
    host.layout.at("/etc/caddy").mkdir()
    host.layout.at("/etc/haproxy").mkdir()
    unread: list[Unread] = []
    others.name(host, of_host(), unread.append, {"caddy"})
    assert [each.subject for each in unread] == ["HAProxy (/etc/haproxy)"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    """A palpo.toml of another account."""
    host = host_with(tmp_path, SERVER)
    host.layout.at(TOML).chmod(0)
    assert TOML in audited(host).unread[0].subject


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A directory stands for what even root cannot read; the rest is judged all the same."""
    host = host_with(tmp_path, SERVER)
    key = host.layout.at("/etc/letsencrypt/live/example.com/fullchain.pem")
    key.unlink()
    key.mkdir()
    found = audited(host)
    assert found.findings == ()
    assert [each.subject for each in found.unread] == [
        "the certificate /etc/letsencrypt/live/example.com/fullchain.pem"
    ]


def test_a_broken_site_is_said(tmp_path: Path) -> None:
    """With file and line, beside what could be read."""
    found = audited(host_with(tmp_path, "server {\n"))
    assert found.unread
    assert SITE in found.unread[0].subject


def test_no_broken_configuration_breaks_the_audit(tmp_path: Path) -> None:
    """Words left out, turned round or replaced, in both files: there is always an audit, and always its words."""
    chance = random.Random(7)
    strange = ("(", "[", "''", "~", "$x", "{", "}", ";", "location", "return", "proxy_pass", "0", "9" * 30, "é")
    for _ in range(40):
        words = (SERVER + DOCUMENTED).replace(";", " ; ").split(" ")
        for _ in range(chance.randint(1, 4)):
            words[chance.randrange(len(words))] = chance.choice(strange)
            del words[chance.randrange(len(words))]
        toml = list(SOUND)
        for _ in range(chance.randint(0, 2)):
            toml[chance.randrange(len(toml))] = chance.choice('[]="#x0')
        host = host_with(tmp_path, " ".join(words), "".join(toml))
        facts = known(host)
        assert matrix.read(host, facts.nginx, facts.palpo) is not None
        assert describe(audit(host, facts, NOW))


def test_the_media_repository_is_judged_by_its_own_file(tmp_path: Path) -> None:
    """With its file and line; one whose file is not found is named as not read."""
    host = host_with(tmp_path, SERVER)
    whole = known(host)
    sound = media_repository(media_text(("name: example.com", "name: matrix.example.com")))
    found = audit(host, replace(whole, media=sound), NOW)
    assert [(each.rule, str(each.file), each.line) for each in found.findings] == [("media-name", MEDIA_FILE, 7)]
    assert MEDIA_FILE in found.read
    unknown = audit(host, replace(whole, media=replace(sound, configuration=None)), NOW)
    assert [each.subject for each in unknown.unread] == ["the media repository"]
