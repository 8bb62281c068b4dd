"""Configurations of many shapes for Apache, Caddy and HAProxy, and where our one line goes in them.

They lie in tests/data; each comes as it is, with lines as on Windows, without a newline at its end, and with comments
in Latin-1 and in UTF-8. Nginx's are in tests/proxies/nginx/corpus.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.operations.lines import AddedLine
from palpo_installer.proxies.apache import insertion as apache
from palpo_installer.proxies.apache.lines import lines as apache_lines
from palpo_installer.proxies.caddy import guest_lines as caddy
from palpo_installer.proxies.caddy.insertion import room
from palpo_installer.proxies.caddy.tokens import lines as caddy_lines
from palpo_installer.proxies.haproxy import insertion as haproxy
from palpo_installer.proxies.haproxy.tree import parse
from palpo_installer.proxies.virtual_hosts import Impossible

DATA = Path(__file__).resolve().parents[1] / "data"
Places = Callable[[bytes, str], Iterator[AddedLine | Impossible]]


@dataclass(frozen=True)
class Corpus:
    """The configurations of one proxy.

    Attributes:
        kind: of the proxy.
        line: a line of ours that leads to a file, to be filled in.
        places: says where a line goes in each site of a file.
        pieces: of which files may be made up, each on a line or a part of one.
        begin: a file up to those pieces.
        end: the rest of it.
    """

    kind: str
    line: str
    places: Places
    pieces: tuple[str, ...]
    begin: str
    end: str

    @property
    def shapes(self) -> Mapping[str, bytes]:
        """Every configuration by a name that says what it is."""
        written = {path.stem: path.read_bytes() for path in sorted((DATA / self.kind).iterdir()) if path.is_file()}
        return {name: data for stem, whole in written.items() for name, data in _variants(stem, whole)}


def _variants(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data
    yield f"{name}, lines as on Windows", data.replace(b"\n", b"\r\n")
    yield f"{name}, no newline at the end", data.rstrip()
    yield f"{name}, comments in Latin-1", b"# caf\xe9, stra\xdfe {\n" + data.replace(b"# ", b"# \xe4\xf6\xfc ")
    yield f"{name}, comments in UTF-8", "# 🦊 überall; {\n".encode() + data


def _in_virtual_hosts(data: bytes, line: str) -> Iterator[AddedLine | Impossible]:
    for each in apache_lines(data.decode(errors="replace")):
        if each.name == "<virtualhost":
            yield apache.place(data, each.number, line)


def _in_frontends(data: bytes, line: str) -> Iterator[AddedLine | Impossible]:
    sections, _ = parse(data.decode(errors="replace"), Path("/etc/haproxy/haproxy.cfg"))
    for each in sections:
        if each.kind in {"frontend", "listen"}:
            yield haproxy.place(data, each, line)


def _in_sites(data: bytes, line: str) -> Iterator[AddedLine | Impossible]:
    """In front of every site, and in each of them."""
    text = data.decode(errors="replace")
    if before := room(text):
        yield AddedLine(line, before)
    depth = 0
    found = caddy_lines(text)
    for words, former in zip(found, ((), *found), strict=False):
        goes_on = bool(former) and former[-1].text.endswith(",")
        if depth == 0 and not goes_on and not words[0].opens and not words[0].text.startswith("("):
            yield caddy.place(data, words[0].line, line)
            if not words[-1].opens and not words[-1].text.endswith(","):
                return  # it has no braces, so that all that follows is one site
        depth += words[-1].opens - words[0].closes


APACHE = Corpus(
    "apache",
    "IncludeOptional {}",
    _in_virtual_hosts,
    (
        *("ServerName a", "ServerAlias b \\", "c", "# d <VirtualHost *:80>", "# goes on \\", "<If \"%{X} == '>'\">"),
        *(
            "</If>",
            "</VirtualHost>",
            "<VirtualHost *:80>",
            'Header set X "\\"#"',
            "",
            " ",
            "\t",
            "\n",
            "\n",
            "\r\n",
            "é",
        ),
    ),
    "Listen 80\n<VirtualHost *:80>",
    "\n</VirtualHost>\n",
)
CADDY = Corpus(
    "caddy",
    "import {}",
    _in_sites,
    (
        *("respond 204", "{", "}", "# c {", '"quoted {"', "`back\ntick`", "a,", "\\", "\\\n", "(s) {", "import s"),
        *("", " ", "\t", "\n", "\n", "\r\n", "é", "{$X:y}"),
    ),
    "{\n\tadmin off\n}\nhttp://a {",
    "\n}\n",
)
HAPROXY = Corpus(
    "haproxy",
    "http-request return status 204 if {{ path -f {} }}",
    _in_frontends,
    (
        *(
            "bind :80",
            "http-request deny",
            "use_backend b",
            "default_backend b",
            "# c frontend x",
            "acl a path 'x # y'",
        ),
        *(
            "set x \\",
            "y\\ z",
            ".if defined(X)",
            ".else",
            ".endif",
            "listen l",
            "backend b",
            "",
            " ",
            "\n",
            "\n",
            "\r\n",
        ),
        *('"a', "é"),
    ),
    "global\n maxconn 9\nfrontend f\n",
    "\nbackend e\n server s 127.0.0.1:1\n",
)
CORPORA: Mapping[str, Corpus] = {each.kind: each for each in (APACHE, CADDY, HAPROXY)}
SHAPES = [(kind, name) for kind, corpus in CORPORA.items() for name in corpus.shapes]
