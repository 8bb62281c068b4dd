from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.proxies.haproxy import binds, reading, tree
from palpo_installer.proxies.haproxy.configuration import Directive, Frontend, RuntimeSocket
from palpo_installer.proxies.haproxy.discovery import is_master, loaded, option
from palpo_installer.proxies.haproxy.unit import Starting, assignments, parse_shown

FILE = Path("/etc/haproxy/haproxy.cfg")
DEBIAN = ("/usr/sbin/haproxy", "-Ws", "-f", "$CONFIG", "-p", "$PIDFILE", "$EXTRAOPTS")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  bind *:80 # comment", ("bind", "*:80")),
        ("acl x path '/a b' \"c # d\" e\\ f", ("acl", "x", "path", "/a b", "c # d", "e f")),
        ('log-format ""', ("log-format", "")),
        ("http-request set-header X 'it'\\''s'", ("http-request", "set-header", "X", "it's")),
        ("# only a comment", ()),
    ],
)
def test_a_line_is_read_as_haproxy_reads_it(line: str, words: tuple[str, ...]) -> None:
    """Quotes, escapes and comments (manual, "Quoting and escaping")."""
    assert tree.tokens(line) == words


def test_a_quote_without_end_and_a_line_before_any_section_are_problems() -> None:
    """What HAProxy itself refuses is told with its line."""
    _, problems = tree.parse("mode http\nfrontend a\n  bind 'x\n", FILE)
    assert [each.line for each in problems] == [1, 3]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("*:80,[::]:80", [("0.0.0.0", 80, ()), ("::", 80, ("ipv6only=off",))]),
        (":443 ssl crt /x alpn h2,http/1.1", [("0.0.0.0", 443, ("ssl", "http2"))]),
        (":::443 v6only ssl crt /x accept-proxy", [("::", 443, ("ssl", "proxy_protocol"))]),
        ("ipv4@192.0.2.1:8000-8001", [("192.0.2.1", 8000, ()), ("192.0.2.1", 8001, ())]),
        ("quic4@:443 ssl crt /x", [("0.0.0.0", 443, ("ssl", "quic"))]),
        ("/run/x.sock accept-proxy", [("unix:/run/x.sock", 0, ("proxy_protocol",))]),
        ("abns@hidden", []),
    ],
)
def test_addresses_of_a_bind(words: str, found: list[tuple[str, int, tuple[str, ...]]]) -> None:
    """Every form that opens a port, in the neutral words."""
    bind = Directive(("bind", *words.split()), FILE, 3)
    assert [(each.address, each.port, each.options) for each in binds.of_bind(bind)] == found


def fronts(text: str, root: Path) -> tuple[Frontend, ...]:
    """Return the frontends of a configuration below a root."""
    sections, problems = tree.parse(text, FILE)
    found, unread = reading.frontends(Host(Layout(root)), sections)
    assert (problems, unread) == ([], ())
    return found


def test_addresses_come_from_the_environment(tmp_path: Path) -> None:
    """As the program is started, and as ``setenv`` and ``presetenv`` change it; others are a problem with its cure."""
    text = (
        "global\n setenv A 192.0.2.1\n presetenv B 192.0.2.2\n presetenv C 192.0.2.3\n"
        'frontend f\n bind "$A:80"\n bind ${B}:80\n bind ${C}:80\n bind ${D-192.0.2.4}:80\n bind ${E}:80\n'
    )
    sections, _ = tree.parse(text, FILE)
    (found,), (unread,) = reading.frontends(Host(Layout(tmp_path)), sections, {"A": "::1", "B": "192.0.2.9"})
    assert [each.address for each in found.listens] == ["192.0.2.1", "192.0.2.9", "192.0.2.3", "192.0.2.4"]
    assert unread.line == 10
    assert "setenv" in unread.message


def test_a_line_in_a_conditional_block_knows_where_the_block_begins() -> None:
    """The outermost within its section: in front of it, another line counts in any case."""
    text = "frontend f\n bind :80\n.if a\n.if b\n use_backend x\n.endif\n.endif\n default_backend y\n.if c\nbackend x\n"
    (front, back), _ = tree.parse(f"{text} server s 192.0.2.1\n.endif\n", FILE)
    assert [(each.line, each.front) for each in front.directives] == [(2, 2), (5, 3), (8, 8)]
    assert [(each.line, each.front) for each in back.directives] == [(11, 11)]


def test_names_come_from_conditions_files_and_maps(tmp_path: Path) -> None:
    """Host and SNI, named and nameless conditions, endings; a regular expression tells no name."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts.map").write_text("# names\nmapped.example be_m\n")
    (tmp_path / "etc/hosts.lst").write_text("listed.example\n")
    (found,) = fronts(
        "defaults\n mode http\nfrontend web\n bind :80\n"
        " acl shop hdr(host) -i shop.example www.shop.example\n"
        " use_backend s if shop { path_beg /a }\n"
        " use_backend b if { req.hdr(host),host_only -i blog.example } || { hdr_end(host) -i .wild.example }\n"
        " use_backend l if { ssl_fc_sni -f /etc/hosts.lst }\n"
        " use_backend r if { hdr(host) -m reg ^x\\.example$ }\n"
        " use_backend %[req.hdr(host),lower,map(/etc/hosts.map,b)]\n",
        tmp_path,
    )
    assert found.names == (
        "shop.example",
        "www.shop.example",
        "blog.example",
        "*.wild.example",
        "listed.example",
        "mapped.example",
    )


def test_the_mode_is_that_of_the_defaults_that_a_frontend_is_made_from(tmp_path: Path) -> None:
    """Named defaults, the last ones before it, and tcp where nothing says so; tcp is a stream and no site."""
    found = fronts(
        "frontend a\n bind :1\ndefaults web\n mode http\ndefaults raw\n mode tcp\n"
        "frontend b from web\n bind :2\nfrontend c\n bind :3\nlisten d from raw\n mode http\n bind :4\n",
        tmp_path,
    )
    assert [(each.section.name, each.mode) for each in found] == [
        ("a", "tcp"),
        ("b", "http"),
        ("c", "tcp"),
        ("d", "http"),
    ]
    assert [block.listens[0].port for block in reading.blocks(Host(Layout(tmp_path)), found)] == [2, 4]


def test_certificates_of_a_directory_and_of_a_list(tmp_path: Path) -> None:
    """Keys beside them are no certificates of their own."""
    (tmp_path / "certs").mkdir()
    for name in ("a.pem", "a.pem.key", "b.pem", ".hidden"):
        (tmp_path / "certs" / name).write_text("")
    (tmp_path / "list").write_text("/l.pem [alpn h2] l.example\n")
    (found,) = fronts("frontend a\n mode http\n bind :1 ssl crt /certs crt-list /list\n", tmp_path)
    (block,) = reading.blocks(Host(Layout(tmp_path)), (found,))
    assert block.certificates == (f"{tmp_path}/certs/a.pem", f"{tmp_path}/certs/b.pem", "/l.pem")
    assert block.keys == (f"{tmp_path}/certs/a.pem.key", f"{tmp_path}/certs/b.pem", "/l.pem")


def test_runtime_sockets_and_global_values() -> None:
    """The last value wins, as HAProxy has it; a socket without a level is for operators."""
    sections, _ = tree.parse("global\n stats socket /a level admin\n stats socket /b\n user x\nglobal\n user y\n", FILE)
    assert reading.runtime_sockets(sections) == (RuntimeSocket("/a", "admin"), RuntimeSocket("/b", "operator"))
    assert reading.of_global(sections, "user") == "y"


def test_a_command_line_tells_what_is_loaded() -> None:
    """An -f takes all words up to the next option, and what a reload adds does not matter."""
    given = "-sf 7 -x sockpair@5 -Ws -f /a.cfg /b.d -f /c.cfg -p /run/p"
    command = ["/usr/sbin/haproxy", *given.split()]
    assert loaded(command) == ("/a.cfg", "/b.d", "/c.cfg")
    assert option(command, "-p") == "/run/p"
    assert is_master(command)
    assert not is_master(["haproxy", "-D", "-f", "/a.cfg"])


def test_a_unit_is_expanded_as_systemd_does_it(tmp_path: Path) -> None:
    """A variable alone becomes several words, the environment file wins over the unit."""
    (tmp_path / "default").write_text('# EXTRAOPTS="-x"\nEXTRAOPTS="-S /s -f /more"\n')
    start = Starting(DEBIAN, {"CONFIG": "/a.cfg", "PIDFILE": "/p", "EXTRAOPTS": "-S /s"}, (tmp_path / "default",))
    assert loaded(start.expanded(Host(Layout(tmp_path)))) == ("/a.cfg", "/more")
    assert start.takes_options
    assert assignments("A='b c'\n;D=e\n") == {"A": "b c"}


def test_what_systemctl_shows_is_read() -> None:
    """The command, the variables of the unit, and every environment file in order."""
    shown = (
        "ExecStart={ path=/usr/sbin/haproxy ; argv[]=/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS ; "
        "ignore_errors=no ; start_time=[n/a] }\n"
        'Environment=CONFIG=/etc/haproxy/haproxy.cfg PIDFILE=/run/haproxy.pid "EXTRAOPTS=-S /run/m.sock"\n'
        "EnvironmentFiles=/etc/default/haproxy (ignore_errors=yes)\n"
        "EnvironmentFiles=/etc/sysconfig/haproxy (ignore_errors=yes)\n"
    )
    start = parse_shown(shown)
    assert start is not None
    assert (start.command, start.environment["EXTRAOPTS"]) == (DEBIAN, "-S /run/m.sock")
    assert start.files == (Path("/etc/default/haproxy"), Path("/etc/sysconfig/haproxy"))
