"""Every question once: defaults from the facts, what goes together, and the answers that come out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from palpo_installer import matrix_site
from palpo_installer.answers import Address, Answers, BaseCertificate, BaseDomain, CertificateFiles, Delegation, Method
from palpo_installer.errors import AnswersError
from palpo_installer.facts import Facts
from palpo_installer.layout import Layout
from palpo_installer.questions import QUESTIONS, SECRET_KEYS, Kind, Resolved, Situation, question_for, resolve
from palpo_installer.secret import Secret, SecretReference
from tests.situations import FEWEST, certificate, configured, facts, homeserver, name, nginx_with

EMPTY = facts()


def resolved(chosen: Mapping[str, object] | None = None, host: Facts = EMPTY, layout: Layout | None = None) -> Resolved:
    """Resolve the fewest answers and what a test chooses beside them."""
    return resolve({**FEWEST, **(chosen or {})}, host, layout or Layout())


def answers(chosen: Mapping[str, object] | None = None, host: Facts = EMPTY) -> Answers:
    """Return the answers for what a test chooses."""
    return resolved(chosen, host).answers


def refused(chosen: Mapping[str, object], host: Facts = EMPTY) -> AnswersError:
    """Return the error that a test's choice leads to."""
    with pytest.raises(AnswersError) as caught:
        resolved(chosen, host)
    return caught.value


def own_files(*names: str) -> dict[str, object]:
    """Return certificates of one's own for names."""
    files = {one: {"chain": "/srv/chain.pem", "key": "/srv/key.pem"} for one in names}
    return {"certificates.method": "files", "certificates.files": files}


def test_the_keys_are_those_that_others_rely_on() -> None:
    """Each key of answers.toml is asked exactly once, names first and the host's guards last."""
    keys = [question.key for question in QUESTIONS]
    assert len(keys) == len(set(keys))
    sections = dict.fromkeys(key.partition(".")[0] for key in keys)
    assert list(sections) == [
        "names",
        "federation",
        "proxy",
        "homeserver",
        "media",
        "well_known",
        "certificates",
        "host",
    ]
    assert {
        *("names.server_name", "names.client_host", "names.base_domain"),
        *("federation.delegation", "federation.port", "proxy.kind", "media.upstream"),
        *("homeserver.config", "homeserver.listen", "homeserver.upstream", "homeserver.database_url"),
        *("homeserver.database_url_file", "homeserver.registration", "homeserver.registration_token_file"),
        *("homeserver.max_upload_size", "homeserver.storage"),
        *("well_known.identity_server", "well_known.support", "well_known.rtc_foci"),
        *("certificates.method", "certificates.email", "certificates.agree_terms", "certificates.directory"),
        *("certificates.ca_file", "certificates.eab_file", "certificates.dns", "certificates.dns_credentials"),
        *("certificates.proxy", "certificates.files"),
    } <= set(keys)


def test_every_question_can_be_shown() -> None:
    """Each has one line of text and help that fits a small screen; each choice can be told from the others."""
    for question in QUESTIONS:
        assert question.text
        assert "\n" not in question.text + question.help
        assert len(question.text) <= 76
        labels = {choice.label for choice in question.choices}
        assert len(labels) == len(question.choices)
        assert labels or question.kind is not Kind.CHOICE
        assert set(question.available) <= set(question.choices)


def test_an_empty_host_gives_the_plain_defaults() -> None:
    """With nothing found, a name, a database and the terms are all there is to answer."""
    result = answers()
    assert result.names.client_host == "matrix.example.com"
    assert result.names.base_domain is BaseDomain.OURS
    assert (result.federation.delegation, result.federation.port) == (Delegation.WELL_KNOWN, 8448)
    assert result.proxy == "nginx"
    assert result.homeserver.config == Path("/etc/palpo/palpo.toml")
    assert result.homeserver.listen == result.homeserver.upstream == Address("127.0.0.1", 8008)
    assert result.homeserver.registration == "closed"
    assert result.homeserver.max_upload_size == 16 << 20
    assert result.certificates.method is Method.HTTP_01
    assert result.certificates.directory == "https://acme-v02.api.letsencrypt.org/directory"
    assert (result.media, result.certificates.email) == (None, "")


@pytest.mark.parametrize("key", FEWEST)
def test_what_has_no_default_is_asked_for_by_key(key: str) -> None:
    """A required key that is missing is named."""
    raw = {one: value for one, value in FEWEST.items() if one != key}
    with pytest.raises(AnswersError) as caught:
        resolve(raw, EMPTY, Layout())
    assert caught.value.where == key
    assert caught.value.next


def test_a_palpo_that_is_there_is_taken_up() -> None:
    """Server name, file, listener and database come from an existing palpo.toml; a wildcard is narrowed."""
    host = facts(palpo=homeserver(configured("example.org", "0.0.0.0:8448", "[::]:8010"), answers_at="127.0.0.1:8010"))
    result = resolve({"certificates.agree_terms": True}, host, Layout()).answers
    assert result.names.server_name == "example.org"
    assert result.homeserver.config == Path("/srv/palpo/palpo.toml")
    assert result.homeserver.listen == result.homeserver.upstream == Address("::1", 8010)
    assert result.homeserver.database_url is None


@pytest.mark.parametrize("found", [configured("change.palpo.im"), configured("not a name"), configured("")])
def test_a_placeholder_is_no_server_name(found: object) -> None:
    """What an example file says, or what is no name, is neither offered nor accepted."""
    host = facts(palpo=homeserver(found))  # type: ignore[arg-type]
    assert refused({"names.server_name": None}, host).where == "names.server_name"
    assert refused({"names.server_name": "change.palpo.im"}).where == "names.server_name"


def test_an_unreadable_palpo_toml_has_no_database() -> None:
    """Only a usable file lets the database go unanswered."""
    host = facts(palpo=homeserver(configured(problem="line 3: no TOML")))
    assert refused({"homeserver.database_url": None}, host).where == "homeserver.database_url"


def test_a_container_keeps_its_listener() -> None:
    """A container listens on its own loopback only in vain; the proxy connects to the published port."""
    palpo = homeserver(configured("example.org", "0.0.0.0:8008"), runs_as="container", answers_at="127.0.0.1:18008")
    result = answers(host=facts(palpo=palpo))
    assert result.homeserver.listen == Address("0.0.0.0", 8008)
    assert result.homeserver.upstream == Address("127.0.0.1", 18008)


def test_the_upstream_follows_the_listener() -> None:
    """Who moves Palpo to another port need not say so twice."""
    assert answers({"homeserver.listen": "[::1]:9000"}).homeserver.upstream == Address("::1", 9000)


@pytest.mark.parametrize(
    ("records", "addresses", "expected"),
    [
        ((), ("203.0.113.5",), BaseDomain.OURS),
        ((name("example.com", "203.0.113.5"),), ("203.0.113.5",), BaseDomain.OURS),
        ((name("example.com", "9.9.9.9"),), ("8.8.8.8",), BaseDomain.ELSEWHERE),
        ((name("example.com", "9.9.9.9"),), ("10.0.0.5",), BaseDomain.OURS),
        ((name("example.com", "9.9.9.9"), name("matrix.example.com", "9.9.9.9")), ("10.0.0.5",), BaseDomain.OURS),
        (
            (name("example.com", "9.9.9.9"), name("matrix.example.com", "8.8.8.8")),
            ("10.0.0.5",),
            BaseDomain.ELSEWHERE,
        ),
    ],
)
def test_dns_says_who_serves_the_base_domain(
    records: tuple[object, ...], addresses: tuple[str, ...], expected: BaseDomain
) -> None:
    """Elsewhere only where DNS leads to another host for certain, also behind address translation."""
    host = facts(names=records, addresses=addresses)  # type: ignore[arg-type]
    assert answers(host=host).names.base_domain is expected


def test_a_site_with_the_same_name_stays() -> None:
    """The default where nginx has one of exactly this name with TLS; no other kind of name, and not our own file."""
    assert answers(host=facts(nginx=nginx_with("Example.com"))).names.base_domain is BaseDomain.EXISTING
    for other in (
        nginx_with("*.example.com"),
        nginx_with("example.com", options=()),
        nginx_with("example.com", file="/etc/nginx/x/zz-palpo-installer.conf"),
    ):
        assert answers(host=facts(nginx=other)).names.base_domain is BaseDomain.OURS


def test_who_answers_today_is_said_at_the_question() -> None:
    """By file and line; nothing where no site of the proxy does."""
    question = question_for("names.base_domain")
    said = {"names.server_name": "example.com", "names.client_host": "matrix.example.com"}
    there = question.now(Situation(facts(nginx=nginx_with("example.com")), Layout(), said))
    assert "/etc/nginx/sites-enabled/site:1 (server_name example.com)" in there
    assert question.now(Situation(facts(), Layout(), said)) == ""


def test_clients_at_the_server_name_need_the_whole_host() -> None:
    """An existing site cannot be kept then, and that is said and not passed over."""
    error = refused({"names.client_host": "example.com", "names.base_domain": "existing"})
    assert error.where == "names.base_domain"
    assert "whole host" in error.what


def test_the_certificate_of_a_site_is_the_default_where_it_can_be_used() -> None:
    """For the port of srv; a site whose certificate is for another name has none to lend."""
    srv = {"federation.delegation": "srv"}
    for held, expected in (("example.com", BaseCertificate.SITE), ("other.example", BaseCertificate.ORDERED)):
        found = facts(nginx=nginx_with("example.com"), certificates=(certificate("/a", held),))
        result = resolve({**FEWEST, **srv}, found, Layout())
        assert result.answers.certificates.base_domain is expected
        assert "certificates.base_domain" in {each.question.key for each in result.asked}
    assert "certificates.base_domain" not in {each.question.key for each in resolve(FEWEST, facts(), Layout()).asked}


def test_one_name_for_all_needs_no_question_about_the_website() -> None:
    """Clients at the server name itself: this host serves it, and a name that begins with matrix. is both."""
    result = answers({"names.client_host": "example.com", "names.base_domain": "elsewhere"})
    assert result.names.base_domain is BaseDomain.OURS
    assert answers({"names.server_name": "matrix.example.com"}).names.client_host == "matrix.example.com"


@pytest.mark.parametrize("delegation", ["well-known", "srv"])
@pytest.mark.parametrize("server_name", ["example.com:8449", "203.0.113.5", "[2001:db8::1]:8448"])
def test_names_that_cannot_be_delegated(server_name: str, delegation: str) -> None:
    """A server name with a port, or an address, can only be direct or none."""
    chosen = {"names.client_host": "matrix.example.com", "federation.delegation": delegation}
    assert refused({**chosen, "names.server_name": server_name}).where == "federation.delegation"


def test_the_port_of_a_server_name_is_the_port() -> None:
    """Direct by default, on the name's own port, and on no other."""
    result = answers({"names.server_name": "example.com:8449"})
    assert (result.federation.delegation, result.federation.port) == (Delegation.DIRECT, 8449)
    assert refused({"names.server_name": "example.com:8449", "federation.port": 8448}).where == "federation.port"
    assert refused({"federation.delegation": "direct", "federation.port": 8449}).where == "federation.port"


def test_federation_ports_that_clash() -> None:
    """Port 80 is for plain HTTP, 443 of a name that is served elsewhere is not ours, nor where its website is."""
    srv = {"federation.delegation": "srv"}
    assert refused({**srv, "federation.port": 80}).where == "federation.port"
    assert answers({**srv, "federation.port": 443}).federation.port == 443
    assert answers({**srv, "federation.port": 443, "names.base_domain": "elsewhere"}).federation.port == 443
    assert refused({**srv, "federation.port": 443, "names.base_domain": "existing"}).where == "federation.port"
    direct = {"names.server_name": "example.com:443", "federation.delegation": "direct"}
    assert refused({**direct, "names.base_domain": "elsewhere"}).where == "federation.port"
    assert answers(direct).federation.port == 443


def test_an_address_as_server_name() -> None:
    """An address needs a client host to be named, and certificates that no authority gives over port 80."""
    chosen: dict[str, object] = {"names.server_name": "[2001:db8::1]"}
    assert refused(chosen).where == "names.client_host"
    chosen["names.client_host"] = "matrix.example.com"
    assert refused({**chosen, "certificates.method": "http-01"}).where == "certificates.method"
    assert refused(chosen).where == 'certificates.files."matrix.example.com"'
    result = answers({**chosen, **own_files("matrix.example.com", "[2001:db8::1]")})
    assert (result.names.base_domain, result.federation.port) == (BaseDomain.ELSEWHERE, 8448)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"names.base_domain": "elsewhere"},
        {"names.base_domain": "elsewhere", "federation.delegation": "srv"},
        {"names.client_host": "example.com"},
        {"names.server_name": "example.com:8449", "names.base_domain": "elsewhere"},
        {"federation.delegation": "none", "names.base_domain": "elsewhere"},
    ],
)
def test_certificates_are_asked_for_exactly_the_names_of_the_site(chosen: dict[str, object]) -> None:
    """The site's certificate names, and no fewer, must have files."""
    needed = matrix_site.build(answers(chosen), Layout()).certificates
    assert set(answers({**chosen, **own_files(*needed)}).certificates.files) == set(needed)
    for missing in needed:
        fewer = [one for one in needed if one != missing]
        assert refused({**chosen, **own_files(*fewer)}).where == f'certificates.files."{missing}"'


def test_certificates_on_the_host_are_offered() -> None:
    """For each name the valid one that lasts longest; a key that does not match is never offered."""
    found = (
        certificate("/a", "example.com", "matrix.example.com", year=2027),
        certificate("/b", "*.example.com", year=2028),
        certificate("/c", "example.com", "matrix.example.com", year=2029, matches_key=False),
    )
    result = answers({"certificates.method": "files"}, facts(certificates=found)).certificates.files
    assert result["example.com"].chain == Path("/a/fullchain.pem")
    assert result["matrix.example.com"].key == Path("/b/privkey.pem")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("certificates.method", "dns-01"),
    ],
)
def test_what_this_version_cannot_do_is_said(key: str, value: str) -> None:
    """A choice that is not supported is refused by key, with what to choose instead, and not offered."""
    error = refused({key: value})
    assert (error.where, error.what) == (key, f"{value} is not possible in this version")
    assert error.next.startswith("Choose")
    assert value not in [choice.value for choice in question_for(key).available]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("names.server_name", 5),
        ("names.server_name", "https://example.com"),
        ("names.client_host", ""),
        ("federation.delegation", "wellknown"),
        ("federation.delegation", True),
        ("federation.port", True),
        ("federation.port", "http"),
        ("homeserver.max_upload_size", 1.5),
        ("homeserver.listen", "localhost:8008"),
        ("homeserver.config", "palpo.toml"),
        ("homeserver.config", "/etc/palpo/palpo.yaml"),
        ("homeserver.upstream", "0.0.0.0:8008"),
        ("homeserver.upstream", "127.0.0.1:443"),
        ("homeserver.upstream", "203.0.113.5:80"),
        ("homeserver.listen", "127.0.0.1:443"),
        ("homeserver.database_url", ["postgres://"]),
        ("media.upstream", "127.0.0.1:8008"),
        ("media.upstream", "127.0.0.1:443"),
        ("well_known.identity_server", "http://id.example.com"),
        ("well_known.rtc_foci", [5]),
        ("well_known.rtc_foci", {"a": "b"}),
        ("certificates.agree_terms", False),
        ("certificates.agree_terms", 1),
        ("certificates.email", []),
        ("certificates.files", "x"),
    ],
)
def test_an_answer_that_cannot_be_used_is_named(key: str, value: object) -> None:
    """Wrong types, wrong forms and answers at odds with others are errors of their key, with a way out."""
    error = refused({key: value})
    assert error.where == key
    assert error.next
    assert error.exit_code == 2


def test_palpo_must_not_take_the_federation_port() -> None:
    """The proxy listens on the federation port, so Palpo cannot."""
    chosen = {"federation.delegation": "srv", "homeserver.listen": "127.0.0.1:8448"}
    assert refused(chosen).where == "homeserver.listen"
    assert answers({**chosen, "federation.delegation": "none"}).homeserver.listen.port == 8448


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("names.servername", "names.server_name"),
        ("homeserver.database", "homeserver.database_url"),
        ("certificates.methods", "certificates.method"),
        ("names.\x1b[31m", ""),
        ('certificates.files."example.com".cert', ""),
    ],
)
def test_an_unknown_key_is_refused(key: str, suggestion: str) -> None:
    """A typing error never goes unnoticed; the nearest key is suggested, and nothing unprintable is shown."""
    error = refused({key: "x"})
    assert suggestion in error.next
    assert "\x1b" not in str(error)


@pytest.mark.parametrize("part", ["chain", "key"])
def test_half_a_certificate_is_named_with_its_missing_part(part: str) -> None:
    """Chain and key belong together; rows may also be given key by key."""
    chosen: dict[str, object] = {
        "certificates.method": "files",
        f'certificates.files."example.com".{part}': "/srv/x",
    }
    other = {"chain": "key", "key": "chain"}[part]
    assert refused(chosen).where == f'certificates.files."example.com".{other}'
    rows: dict[str, object] = {
        f"certificates.files.{one}.{half}": f"/srv/{half}"
        for one in ("example.com", "matrix.example.com")
        for half in ("chain", "key")
    }
    files = answers({"certificates.method": "files", **rows}).certificates.files
    assert files["example.com"] == CertificateFiles(Path("/srv/chain"), Path("/srv/key"))


def test_secrets_are_references() -> None:
    """A secret that is typed is only in ``secrets``; one in a file is only a path; no answer shows either."""
    result = resolved({"homeserver.registration": "token", "homeserver.registration_token_file": "/root/token"})
    key = "homeserver.database_url"
    assert result.answers.homeserver.database_url == SecretReference(key, "answer", key)
    assert result.answers.homeserver.registration_token == SecretReference(
        "homeserver.registration_token", "file", "/root/token"
    )
    assert list(result.secrets) == [key]
    assert result.secrets[key].reveal() == FEWEST[key]
    assert "hunter2" not in repr(result)
    assert set(SECRET_KEYS) == {key, "homeserver.registration_token"}


@pytest.mark.parametrize("key", ["homeserver.database_url", "homeserver.registration_token"])
def test_a_secret_has_one_source(key: str) -> None:
    """As text and as a file at once is refused, and an unusable one is not repeated."""
    token = {"homeserver.registration": "token"}
    assert refused({**token, key: "word", f"{key}_file": "/root/x"}).where == key
    error = refused({**token, key: "sec ret"})
    assert error.where == key
    assert "sec ret" not in str(error)


def test_a_token_is_needed_for_registration_by_token_only() -> None:
    """Without one, registration by token cannot work; without that, a token is not kept."""
    assert refused({"homeserver.registration": "token"}).where == "homeserver.registration_token"
    assert answers({"homeserver.registration_token": "word"}).homeserver.registration_token is None


def test_a_private_root_holds_what_is_written(tmp_path: Path) -> None:
    """Under a directory, what we write lies below it, also when it was given as on a host; twice is once."""
    layout = Layout(root=tmp_path)
    result = resolved({"homeserver.storage": "/srv/media"}, layout=layout).answers
    assert result.homeserver.config == tmp_path / "etc/palpo/palpo.toml"
    assert result.homeserver.storage == tmp_path / "srv/media"
    again = resolved({"homeserver.storage": str(result.homeserver.storage)}, layout=layout).answers
    assert again == result


def test_what_was_asked_can_be_answered_again() -> None:
    """Typed values are answers too: a wizard can hand back what it was given, and gets the same answers."""
    chosen = {
        "federation.delegation": "srv",
        "media.upstream": "127.0.0.1:8000",
        "well_known.rtc_foci": "https://a.example.com, https://b.example.com",
        **own_files("example.com", "matrix.example.com"),
    }
    first = resolved(chosen)
    typed = {asked.question.key: asked.value for asked in first.asked}
    second = resolve({**typed, **first.secrets}, EMPTY, Layout())
    assert second.answers == first.answers
    assert second.secrets == {"homeserver.database_url": Secret(str(FEWEST["homeserver.database_url"]))}


def test_the_review_knows_what_nobody_chose() -> None:
    """Each question that applied is reported once, in order, with whether its value is the default."""
    asked = {one.question.key: one for one in resolved({"proxy.kind": "nginx"}).asked}
    assert list(asked) == [question.key for question in QUESTIONS if question.key in asked]
    assert "federation.port" not in asked
    assert (asked["proxy.kind"].default, asked["federation.delegation"].default) == (False, True)
    assert asked["federation.delegation"].value is Delegation.WELL_KNOWN


def test_no_authority_is_asked_for_a_host_that_lives_on_loopback() -> None:
    """In a private copy nothing is ordered, whatever is answered; a local authority will do."""
    copy = Layout(Path("/srv/copy"), private=True)
    with pytest.raises(AnswersError, match="no authority can ask") as caught:
        resolve({**FEWEST, "certificates.method": "http-01"}, EMPTY, copy)
    assert caught.value.where == "certificates.method"
    assert resolve({**FEWEST, "certificates.method": "self-signed"}, EMPTY, copy).answers.certificates.email == ""


def test_an_address_is_not_served_beside_a_name() -> None:
    """TLS to an address names no server, so the name's certificate would be shown; alone, the address is served."""
    chosen = {
        "names.server_name": "203.0.113.5",
        "names.client_host": "matrix.example.com",
        "names.base_domain": "ours",
    }
    error = refused({**chosen, **own_files("matrix.example.com", "203.0.113.5")})
    assert error.where == "names.base_domain"
    assert "elsewhere" in error.next
