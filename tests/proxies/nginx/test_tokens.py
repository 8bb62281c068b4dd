from __future__ import annotations

from pathlib import Path

import crossplane
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palpo_installer.proxies.nginx.tokens import Kind, Token, Unreadable, tokens
from tests.proxies.nginx.corpus import LUA, SHAPES


def kinds(text: str) -> list[tuple[str, int]]:
    """Return each token as it stands there, with its depth."""
    return [(token.text.decode(), token.depth) for token in tokens(text.encode())]


@pytest.mark.parametrize("name", [name for name in SHAPES if not name.startswith(LUA)])
def test_the_tokens_are_those_that_crossplane_reads(name: str, tmp_path: Path) -> None:
    """The same words, quoted or not, on the same lines; crossplane takes the escapes from quotes."""
    path = tmp_path / "site.conf"
    path.write_bytes(SHAPES[name])
    read = [(token, line) for token, line, _ in crossplane.lex(str(path))]
    ours = [(plain(token), token.line) for token in tokens(SHAPES[name])]
    assert ours == [(text, line) for text, line in read if not text.startswith("#")]


def plain(token: Token) -> str:
    """Return a token as crossplane gives it."""
    text = token.value.decode("utf-8", errors="replace")
    if token.kind is not Kind.WORD or token.value == token.text:
        return text
    return text.replace(f"\\{token.text[:1].decode()}", token.text[:1].decode())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a ${b}c;", ["a", "${b}c", ";"]),
        ("a ${{b}c;", ["a", "${{b}c", ";"]),
        ("a ${b{", ["a", "${b", "{"]),
        ("a $b{", ["a", "$b", "{"]),
        ("a x}y;", ["a", "x}y", ";"]),
        ("a b#c;", ["a", "b#c", ";"]),
        ("a b\\;c\\ d;", ["a", "b\\;c\\ d", ";"]),
        ("a 'b;{}\\'c' \"d'e\";", ["a", "'b;{}\\'c'", '"d\'e"', ";"]),
        ("a b'c;", ["a", "b'c", ";"]),
        ("a;# b {\nc;", ["a", ";", "c", ";"]),
        ("a\rb;", ["a", "b", ";"]),
    ],
)
def test_words_are_told_apart_as_nginx_does(text: str, words: list[str]) -> None:
    """See ngx_conf_read_token."""
    closed = text + ("}" if text.endswith("{") else "")
    assert [word for word, _ in kinds(closed)][: len(words)] == words


def test_depth_counts_the_open_blocks() -> None:
    """Braces have the depth of what is around their block."""
    assert kinds("a { b { c; } } d;") == [
        ("a", 0), ("{", 0), ("b", 1), ("{", 1), ("c", 2), (";", 2), ("}", 1), ("}", 0), ("d", 0), (";", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a {", "a block is not closed at the end of the file"),
        ("a;\n}", "line 2: this } closes nothing"),
        ("a;\n\nb 'c", "line 3: a quote is not closed"),
        ("a b", "the last directive is not closed at the end of the file"),
        ("location / {\n content_by_lua_block { x = '}' }\n}", "line 2: Lua code stands in this file"),
        ("set_by_lua_block $a { x }", "line 1: Lua code stands in this file"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, reason: str) -> None:
    """Nothing is guessed about a file that is broken or holds another language."""
    with pytest.raises(Unreadable, match=reason):
        tokens(text.encode())


@given(st.binary(max_size=60))
def test_every_byte_is_in_a_token_or_between_tokens(data: bytes) -> None:
    """Tokens lie one after the other; what is between them is white space and comments."""
    try:
        found = tokens(data)
    except Unreadable:
        return
    end = 0
    for token in found:
        assert data[token.start : token.end] == token.text
        between = data[end : token.start]
        assert between.strip() == b"" or b"#" in between
        end = token.end
