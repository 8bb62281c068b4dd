"""Showing a palpo.toml without its secrets."""

from __future__ import annotations

import difflib
import json
import re
import tomllib

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from palpo_installer.homeserver.configuration import HEADER
from palpo_installer.homeserver.masking import masked_pair
from palpo_installer.homeserver.secrecy import is_secret
from tests.homeserver.made import DATABASE_URL, DOCUMENT, merged


def masked(text: str) -> str:
    """Return a file as it is shown when it is new."""
    return masked_pair("", text)[1]


SECRET = "hunter2-and-more"
SCHEMA_SECRETS = (
    "registration_token",
    "emergency_password",
    "db.url",
    "keypair.document",
    "turn.secret",
    "turn.password",
    "jwt.secret",
    "admin.mas_secret",
    "admin.startup_execute",
    "storage.access_key_id",
    "storage.secret_access_key",
    "oidc.providers.keycloak.client_secret",
    "my.own.passwd",
    "some.API_Key",
    "tokens.alice",
)

FORMS = (
    '{key} = "{secret}"',
    "{key}='{secret}'  # trailing",
    '"{key_last}" = "{secret}"',
    '{key} = """{secret}"""',
    "{key} = '''\n{secret}\n'''",
    '{key} = """\\\n  {secret}\\\n"""',
    '{key} = ["{secret}", "{secret}"]',
    '{key} = [ # one\n  "{secret}", # two\n]',
    '{key} = {{ a = "{secret}", b = [{{ c = "{secret}" }}] }}',
    '# {key} = "{secret}"',
    '#{key}="{secret}"',
    '## {key} = ["{secret}"]',
    '# {key} = """\n# {secret}\n# """',
    "# {key} = {secret}",
    "# {key}: {secret}",
    "# the old {key_last} was {secret}",
    '{key} "{secret}"',
    '{key} = "{secret}',
    "{key} = {secret}",
    '{key} = """{secret}',
    '{key} = [ "{secret}",',
    '{key} = {{ a = "{secret}"',
    '{key} = "a" "{secret}"',
)
"""Ways to write a secret: as TOML has them, commented out, and broken."""


@pytest.mark.parametrize("key", SCHEMA_SECRETS)
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_every_form(key: str, form: str) -> None:
    """With its table as a header, a commented-out header or a part of the key, alone and between other lines."""
    table, _, last = key.rpartition(".")
    prose = "the old" in form and not is_secret((last,))
    spelled = [(key, last, "")] if not table or "key_last" not in form else []
    spelled += [(last, last, f"[{table}]\n"), (last, last, f"# [{table}]\n# ")] if table and not prose else []
    for written, name, header in spelled:
        line = form.format(key=written, key_last=name, secret=SECRET)
        if header.startswith("#"):
            line = line.replace("\n", "\n# ")
        for text in (f"{header}{line}", f'home_page = "x"\n{header}{line}\n\n[logger]\nlevel = "info"\n'):
            shown = masked(text)
            assert SECRET not in shown
            assert "<secret>" in shown


@pytest.mark.parametrize(
    "text",
    [
        'proxy.global.url = "http://user:{}@proxy:3128"',
        "home_page = 'https://{}@host/'",
        'home_page = "https://host/?access_token={}"',
        'home_page = "postgres://u:a/b@{}@h/d"',
        'home_page = "host=x password={}"',
        'home_page = "http:\\u002f/user:{}@proxy"',
        "# see postgres://u:{}@h/d",
        "# db: host=x pwd={}",
        'home_page = "x" # https://u:{}@h',
    ],
)
def test_a_url_with_a_password_is_hidden_under_any_key(text: str) -> None:
    """Also in comments, unescaped, escaped, and as a parameter."""
    assert SECRET not in masked(text.format(SECRET) + "\n")


def test_copies_of_a_secret_are_hidden_where_nothing_else_says_so() -> None:
    """In a comment or under another key, as a whole or as the password of a URL, and in both versions of a pair."""
    text = f'db.url = "postgres://u:{SECRET}@h/d"\nhome_page = "x{SECRET}y"\n# {SECRET}, like the cat\n'
    assert masked(text) == 'db.url = "<secret>"\nhome_page = "<secret>"\n# <secret>\n'
    old, _ = masked_pair(f"# {SECRET}, like the cat\n", f'turn.secret = "{SECRET}"\n')
    assert old == "# <secret>\n"


def test_what_looks_drawn_at_random_is_hidden_in_comments() -> None:
    """A key that was kept in a comment has no name there."""
    assert masked(f"# {DOCUMENT}\n") == "# <secret>\n"


def test_a_new_file_shows_all_but_its_secrets() -> None:
    """Its explanations stay readable, and it remains TOML that says the same but for them."""
    text = merged(None).decode()
    shown = masked(text)
    assert shown == text.replace(DATABASE_URL, "<secret>").replace(DOCUMENT, "<secret>")
    assert shown.startswith(HEADER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "a = 1\r\nb = [1, 2.5, -3, 0xff, inf]\r\n",
        "# ordinary words\n#\n### more = words, and a \"quotation\"\n[logger] # c\nlevel = 'x'\n",
        "day = 2020-01-01 10:00:00Z\nquery_trusted_key_servers_first = true\n",
        '[oidc.providers."key.cloak"]\nissuer = "https://example.com/realm"\nscopes = ["openid", "email"]\n',
        'a = """one\ntwo""" # three\nb = { c = [{}], d = "" }\n[[e]]\n"f g".h = \'\'\n',
        'keypair.version = "a_1"\n[rc_password]\nper_second = 0.5\nburst = 3\n',
        'home_page = "https://matrix.to/#/@user:example.com"\n# see https://palpo.im/docs\n',
    ],
)
def test_what_is_no_secret_is_shown_as_it_stands(text: str) -> None:
    """Layout, line ends, comments and values."""
    assert masked(text) == text
    tomllib.loads(text)


def test_equal_secrets_make_no_difference_and_changed_ones_a_line() -> None:
    """However they are quoted; a secret at another place, or a new one, is not a changed one."""
    old = 'registration_token = "abc"\n[turn]\nsecret = "one"\n'
    new = 'registration_token = \'abc\'\n[turn]\nsecret = "two"\npassword = "one"\n'
    assert masked_pair(old, old)[0] == masked_pair(old, old)[1]
    before, after = (text.splitlines() for text in masked_pair(old, new))
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert changed == ['- secret = "<secret>"', '+ secret = "<secret: changed>"', '+ password = "<secret>"']


def test_nothing_is_changed_where_nothing_was() -> None:
    """A new file has secrets, none of them changed."""
    assert masked_pair("", 'turn.secret = "x"\n') == ("", 'turn.secret = "<secret>"\n')


def test_a_secret_that_was_commented_out_is_not_the_one_in_force() -> None:
    """Taking it into force shows as a new line."""
    _, after = masked_pair('#turn.secret = "one"\n', '#turn.secret = "one"\nturn.secret = "two"\n')
    assert after == '#turn.secret = "<secret>"\nturn.secret = "<secret>"\n'


def test_a_broken_file_shows_its_lines_without_what_may_be_secret() -> None:
    """Strings may be parts of secrets there, and lines that cannot be read are hidden whole."""
    text = '[turn\nuris = "a"\nttl = 5\n[logger]\nlevel = "x"\nsecret "y"\n'
    shown = '<secret>\nuris = "<secret>"\nttl = "<secret>"\n[logger]\nlevel = "<secret>"\n<secret>\n'
    assert masked(text) == shown
    assert masked("a = " + "[" * 3000) == "<secret>"


def test_which_keys_are_secret() -> None:
    """By their name, their table, or by what Palpo uses them for."""
    assert all(is_secret(tuple(key.split("."))) for key in SCHEMA_SECRETS)
    for key in (
        "server_name",
        "well_known.client",
        "keypair.version",
        "oidc.providers.keycloak.issuer",
        "storage.root",
    ):
        assert not is_secret(tuple(key.split(".")))


SECRETS = st.text("XYZ789 \"\\'#=[]{},.@:/\n\té", min_size=6, max_size=24).map(lambda text: f"Q{text}Q")
NAMES = st.sampled_from(("secret", "password", "x_token", "apikey", "client_secret"))
TABLES = st.sampled_from(("turn", "db", "logger", "oidc.providers.a", '"a b"', "other"))
HARMLESS = st.sampled_from(
    (
        "# words\n",
        "\n",
        "a1 = 1\n",
        'b1 = ["x", "y"]\n',
        "c1 = '''one\ntwo'''\n",
        "d1 = { e = 'x' } # z\n",
        "#f = 'x'\n",
    )
)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Return a file, and the pieces of its secrets that must not be seen."""
    text, seen = [], []
    for number, table in enumerate(draw(st.lists(TABLES, min_size=1, max_size=3, unique=True))):
        text.append(f"[{table}]\n{draw(HARMLESS).replace('1', f'1{number}')}")
        secret, name = draw(SECRETS), draw(NAMES)
        literal = json.dumps(secret, ensure_ascii=draw(st.booleans()))
        form = draw(
            st.sampled_from(("{} = {}\n", "{} = [{}]\n", "{} = {{ a = {} }} # c\n", "#{} = {}\n", "# {} = [{}]\n"))
        )
        text.append(form.format(name, literal))
        seen += [secret, literal[1:-1], *(part for part in secret.split() if len(part) > 5)]
    return "".join(text), seen


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(file=files())
def test_no_secret_is_ever_shown(file: tuple[str, list[str]]) -> None:
    """Whatever characters it has, and wherever it stands in a valid file; keys and layout stay valid TOML."""
    text, secrets = file
    tomllib.loads(text)
    shown = masked(text)
    assert not [secret for secret in secrets if secret in shown]
    assert tomllib.loads(shown).keys() == tomllib.loads(text).keys()


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(file=files(), cut=st.floats(0, 1), punctuation=st.sampled_from(("", '"', "'", "=", "]", "[", "{", "}", '"""')))
def test_no_secret_is_shown_of_a_broken_file(file: tuple[str, list[str]], cut: float, punctuation: str) -> None:
    """Cut off anywhere but in a word, such as a key that says so, and with punctuation put in there."""
    text, secrets = file
    place = round(cut * len(text))
    assume(not re.fullmatch(r"\w\w", text[place - 1 : place + 1]))
    for broken in (text[:place], text[:place] + punctuation + text[place:]):
        shown = masked(broken)
        assert not [secret for secret in secrets if len(secret) > 8 and secret in shown]
