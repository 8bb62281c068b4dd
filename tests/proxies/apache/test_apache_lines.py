"""The lines and words of Apache's configuration language."""

from __future__ import annotations

import pytest

from palpo_installer.proxies.apache.lines import environment, lines, substituted, words


def test_lines_go_on_behind_a_backslash_and_keep_the_number_of_their_first() -> None:
    """A comment goes on too, and is none in the middle of a line; CRLF and tabs are blanks."""
    text = "Listen 80\r\n# a \\\nListen 81\nServerAlias a \\\n  b # c\n\tSSLEngine\ton\n"
    text += "<IfModule !mod_x.c>\n</IfModule >\n"
    assert [(line.number, line.name, line.rest) for line in lines(text)] == [
        (1, "listen", "80"),
        (4, "serveralias", "a   b # c"),
        (6, "sslengine", "on"),
        (7, "<ifmodule", "!mod_x.c"),
        (8, "</ifmodule", ""),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\tc", ("a", "b", "c")),
        ('"a b" c', ("a b", "c")),
        (r'"a \"b\" \d" ' + r"'c \' d'", (r'a "b" \d', "c ' d")),
        ('"" x', ("", "x")),
        ('"open', ("open",)),
        ("*:443", ("*:443",)),
    ],
)
def test_words(text: str, expected: tuple[str, ...]) -> None:
    """In quotes a backslash escapes the quote and itself, and is a backslash before everything else."""
    assert words(text) == expected


def test_variables() -> None:
    """Those without a value stay as written and are told; what has a colon belongs to mod_rewrite."""
    assert substituted("${A}/x ${B} ${C:d}", {"A": "1"}) == ("1/x ${B} ${C:d}", ("B",))


def test_debians_environment() -> None:
    """The values of the first instance, without running the shell."""
    text = """
if [ "${APACHE_CONFDIR##/etc/apache2-}" != "${APACHE_CONFDIR}" ] ; then
\tSUFFIX="-${APACHE_CONFDIR##/etc/apache2-}"
else
\tSUFFIX=
fi
export APACHE_RUN_USER=www-data # who
export APACHE_LOG_DIR=/var/log/apache2$SUFFIX
#export APACHE_ARGUMENTS='-D X'
export ROOT="${APACHE_LOG_DIR}/x"
"""
    found = environment(text)
    assert found["APACHE_RUN_USER"] == "www-data"
    assert found["APACHE_LOG_DIR"] == "/var/log/apache2"
    assert found["ROOT"] == "/var/log/apache2/x"
    assert "APACHE_ARGUMENTS" not in found
