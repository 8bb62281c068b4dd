from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.host import Host
from palpo_installer.proxies.found import IncludeDirectory, Listen, Problem
from palpo_installer.proxies.nginx.build import Build
from palpo_installer.proxies.nginx.reading import Configuration, parse, without_address
from palpo_installer.proxies.nginx.tree import Directive, load

BUILD = Build((1, 22, 1), (), Path("/usr/share/nginx"), Path("/etc/nginx/nginx.conf"), "/run/n.pid", "stderr", "nobody")
MAIN = Path("/etc/nginx/nginx.conf")
NAMES = {"localhost": ("::1", "127.0.0.1")}


def said(root: Path, text: str) -> Configuration:
    """Return what a main file says, with ``R`` standing for its directory."""
    main = root / "nginx.conf"
    main.write_text(text.replace("R/", f"{root}/"))
    return parse(load(Host(), main).top, BUILD, lambda name: NAMES.get(name, ()))


def listens(*arguments: str) -> list[tuple[str, int]]:
    """Return the sockets of one ``listen`` directive."""
    listen = Directive("listen", arguments, MAIN, 3)
    http = Directive("http", (), MAIN, 1, (Directive("server", (), MAIN, 2, (listen,)),))
    found = parse(Directive("", (), MAIN, 1, (http,)), BUILD, lambda name: NAMES.get(name, ()))
    return [(each.address, each.port) for each in found.servers[0].listens]


@pytest.mark.parametrize(
    ("where", "sockets"),
    [
        ("80", [("0.0.0.0", 80)]),
        ("8080", [("0.0.0.0", 8080)]),
        ("*:443", [("0.0.0.0", 443)]),
        ("[::]:443", [("::", 443)]),
        ("[::1]", [("::1", 80)]),
        ("[2001:db8::1]:8448", [("2001:db8::1", 8448)]),
        ("192.0.2.1", [("192.0.2.1", 80)]),
        ("192.0.2.1:8080", [("192.0.2.1", 8080)]),
        ("localhost:80", [("::1", 80), ("127.0.0.1", 80)]),
        ("localhost", [("::1", 80), ("127.0.0.1", 80)]),
        ("127.0.0.1:8000-8002", [("127.0.0.1", 8000), ("127.0.0.1", 8001), ("127.0.0.1", 8002)]),
        ("8000-8001", [("0.0.0.0", 8000), ("0.0.0.0", 8001)]),
        ("unix:/run/n.sock", [("unix:/run/n.sock", 0)]),
        ("absent.example:80", [("absent.example", 80)]),
    ],
)
def test_a_listen_directive_is_normalised(where: str, sockets: list[tuple[str, int]]) -> None:
    """Every form of nginx's "listen", with names resolved and ranges spelled out."""
    assert listens(where) == sockets


def test_options_and_place_of_a_listen_are_kept(tmp_path: Path) -> None:
    """The words after the address as written, with the directive's own line."""
    found = said(tmp_path, "http {\n server {\n  listen 443 ssl http2 default_server;\n }\n}\n")
    expected = Listen("0.0.0.0", 443, ("ssl", "http2", "default_server"), tmp_path / "nginx.conf", 3)
    assert found.servers[0].listens == (expected,)


def test_a_server_without_listen_has_nginxs_default(tmp_path: Path) -> None:
    """It is *:80 for a master started by root, with the block's own line."""
    (server,) = said(tmp_path, "http {\n server {\n  server_name a;\n }\n}\n").servers
    assert server.listens == (Listen("0.0.0.0", 80, (), tmp_path / "nginx.conf", 2),)


def test_a_listen_with_an_unknown_name_is_a_problem(tmp_path: Path) -> None:
    """The installed nginx would not start with it; a unix socket and an address need no look-up."""
    found = said(tmp_path, "http { server { listen unix:/x; listen 1.2.3.4:5;\n listen absent.example:80; } }\n")
    assert without_address(found) == (Problem(tmp_path / "nginx.conf", 2, "the name absent.example has no address"),)


def test_names_of_a_server_are_as_written(tmp_path: Path) -> None:
    """Several directives add up; patterns stay patterns."""
    found = said(tmp_path, "http { server { server_name A.example *.b;\n server_name ~^c(.*)$; } server { } }\n")
    assert [server.names for server in found.servers] == [("A.example", "*.b", "~^c(.*)$"), ()]


def test_certificates_are_inherited_only_by_servers_without_their_own(tmp_path: Path) -> None:
    """Relative files lie beside the main file; what is no file stays as written."""
    found = said(
        tmp_path,
        "http {\n ssl_certificate all.pem;\n ssl_certificate_key all.key;\n"
        " server { }\n"
        " server { ssl_certificate /a/rsa.pem; ssl_certificate /a/ec.pem;"
        " ssl_certificate_key ../rsa.key; ssl_certificate_key ec.key; }\n"
        " server { ssl_certificate $ssl_server_name.pem; ssl_certificate_key data:$key; }\n}\n",
    )
    parent = tmp_path.parent
    assert [(server.certificates, server.keys) for server in found.servers] == [
        ((f"{tmp_path}/all.pem",), (f"{tmp_path}/all.key",)),
        (("/a/rsa.pem", "/a/ec.pem"), (f"{parent}/rsa.key", f"{tmp_path}/ec.key")),
        (("$ssl_server_name.pem",), ("data:$key",)),
    ]


def test_streams_tell_the_ports_they_take(tmp_path: Path) -> None:
    """Both TCP and UDP, apart from the servers of http."""
    found = said(
        tmp_path, "stream { server { listen 443; } server { listen 53 udp; } }\nhttp { server { listen 80; } }\n"
    )
    assert [(each.port, each.options) for each in found.streams] == [(443, ()), (53, ("udp",))]
    assert [each.port for server in found.servers for each in server.listens] == [80]


def test_include_directories_are_those_of_http_in_order(tmp_path: Path) -> None:
    """Debian's two, the one of modules left out, and so are single files and includes inside a server."""
    found = said(
        tmp_path,
        "include R/modules-enabled/*.conf;\nhttp {\n include mime.types*;\n include R/conf.d/*.conf;\n"
        " include R/sites-enabled/*;\n include R/conf.d/../one.conf*;\n include R/*/x.conf;\n include R/absent/a;\n"
        " server { include R/default.d/*.conf; }\n}\n",
    )
    main = tmp_path / "nginx.conf"
    assert found.includes == (
        IncludeDirectory(tmp_path, "mime.types*", main, 3),
        IncludeDirectory(tmp_path / "conf.d", "*.conf", main, 4),
        IncludeDirectory(tmp_path / "sites-enabled", "*", main, 5),
        IncludeDirectory(tmp_path, "one.conf*", main, 6),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("nobody", "", "/run/n.pid")),
        ("user www-data web; error_log /var/log/e.log warn; pid /x.pid;", ("www-data", "/var/log/e.log", "/x.pid")),
        (
            "error_log logs/e.log; pid logs/n.pid;",
            ("nobody", "/usr/share/nginx/logs/e.log", "/usr/share/nginx/logs/n.pid"),
        ),
        (
            "error_log syslog:server=x; error_log stderr; error_log /second.log;",
            ("nobody", "/second.log", "/run/n.pid"),
        ),
        ("error_log /dev/null crit;", ("nobody", "", "/run/n.pid")),
        ("error_log off;", ("nobody", "", "/run/n.pid")),
    ],
)
def test_account_log_and_number_are_the_main_files_or_the_builds(
    tmp_path: Path, text: str, expected: tuple[str, str, str]
) -> None:
    """Relative paths outside the configuration start at the prefix; a log that is no file is none."""
    found = said(tmp_path, f"{text}\nhttp {{ error_log /not/this.log; }}\n")
    assert (found.user, found.error_log, found.pid_file) == expected
