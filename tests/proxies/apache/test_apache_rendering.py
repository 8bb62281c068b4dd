"""Files, links, sockets and names of a site for Apache."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from palpo_installer.answers import Address
from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.apache.adapter import ApacheAdapter
from palpo_installer.proxies.apache.configuration import Everywhere
from palpo_installer.proxies.found import ServerBlock
from tests.proxies.apache.apaches import ENABLED, ETC, LOADED, PLAIN, apache, httpd, listen, rendered, virtual_host
from tests.proxies.nginx.sites import ANSWERS, direct

EVERYTHING = (*(f"{name}_module" for name in PLAIN), "mpm_event_module")


def text(*servers: ServerBlock) -> str:
    """Return the file for the TLS ports."""
    return rendered(apache(*servers)).secure.files[-1].text


def hosts(file: str) -> list[str]:
    """Return the addresses of each virtual host of a file."""
    return re.findall(r"(?m)^<VirtualHost (.*)>$", file)


def test_debian_has_files_and_links() -> None:
    """As a2ensite, a2enconf and a2enmod make them; HTTP/2 is not offered for everybody, so without http2.conf."""
    found = rendered(apache())
    made = {link.path.relative_to(ETC): link.target for link in (*found.plain.links, *found.secure.links)}
    assert made[Path("sites-enabled/zz-palpo-installer-tls.conf")] == "../sites-available/zz-palpo-installer-tls.conf"
    assert made[Path("conf-enabled/zz-palpo-installer-limits.conf")].startswith("../conf-available/")
    loaded = {path.name for path in made if path.parent.name == "mods-enabled"}
    assert loaded == {
        *(f"{name}.load" for name in ("headers", "socache_shmcb", "ssl", "proxy", "proxy_http", "http2")),
        "ssl.conf",
        "proxy.conf",
    }
    assert [file.path.parent.name for file in found.secure.files] == ["conf-available", "sites-available"]
    assert all(ApacheAdapter(apache()).owns(file.path) for file in (*found.plain.files, *found.secure.files))
    assert not ApacheAdapter(apache()).owns(ENABLED / "neighbour.conf")


def test_modules_that_somebody_has_enabled_otherwise_are_left_alone() -> None:
    """Our own links of an earlier run, and such as are the same, stay part of the plan."""
    loaded = apache(modules=EVERYTHING)
    links = {link.path.name for part in (rendered(loaded).plain, rendered(loaded).secure) for link in part.links}
    assert links == {f"zz-palpo-installer-{name}.conf" for name in ("http", "tls", "limits")}
    ours = replace(loaded, enabled=("ssl.load", "ssl.conf", "rewrite.load"))
    assert {link.path.name for link in rendered(ours).secure.links} >= {"ssl.load", "ssl.conf"}


def test_httpd_loads_modules_in_our_file() -> None:
    """Only those that nothing else loads, each where it is not there by then; one that is not installed is refused."""
    there = tuple(each for each in EVERYTHING if each != "ssl_module")
    found = rendered(httpd(*there, available=("mod_ssl.so",)))
    assert found.secure.files[-1].path == Path("/etc/httpd/conf.d/zz-palpo-installer-tls.conf")
    assert found.secure.files[0].path == Path("/etc/httpd/conf.modules.d/zz-palpo-installer-limits.conf")
    lines = "<IfModule !ssl_module>\n    LoadModule ssl_module modules/mod_ssl.so\n</IfModule>"
    assert lines in found.secure.files[-1].text
    assert (found.secure.links, found.secure.files[-1].text.count("LoadModule")) == ((), 1)
    with pytest.raises(RefusedPlan, match=r"mod_ssl is not installed.*dnf install mod_ssl"):
        rendered(httpd(*there))


def test_a_port_is_opened_only_where_nobody_listens() -> None:
    """What comes alive with mod_ssl counts: a second Listen 443 would end Apache."""
    found = rendered(apache(), answers=direct(8448))
    assert re.findall(r"(?m)^Listen .*$", found.plain.files[0].text + found.secure.files[-1].text) == [
        "Listen 8448 https"
    ]
    specific = rendered(apache(listens=(listen(80, "192.0.2.7"),)))
    assert "Listen" not in specific.plain.files[0].text
    assert {each.address for each in specific.plain.expectations} == {"192.0.2.7"}
    assert "Port 80 is served on 192.0.2.7 only" in " ".join(specific.findings)


def test_our_virtual_hosts_have_the_addresses_that_others_name() -> None:
    """Else a neighbour with a specific address would take our requests; a wildcard is left a wildcard."""
    neighbour = virtual_host(listen(443, "203.0.113.5", "ssl", "by_address"), listen(443, "::", "ssl"))
    assert set(hosts(text(neighbour))) == {"203.0.113.5:443 *:443"}
    shared = virtual_host(listen(443, "203.0.113.5", "ssl"))
    assert set(hosts(text(shared))) == {"*:443"}


def test_the_main_server_keeps_what_no_virtual_host_takes() -> None:
    """By a virtual host without a name before ours, also when our own files are there already."""
    main = ServerBlock((), (listen(80),), (), ETC / "apache2.conf", 1)
    first = rendered(apache(main)).plain.files[0].text
    assert hosts(first) == ["*:80"] * 3
    assert first.index("palpo-installer-main-server.invalid") < first.index("ServerName example.com")
    ours = virtual_host(listen(80), names=(), file="zz-palpo-installer-http.conf")
    assert rendered(apache(ours)).plain.files[0].text == first
    beside = rendered(apache(virtual_host(listen(80)))).plain.files[0].text
    assert "main-server" not in beside
    assert "main-server" not in text()


@pytest.mark.parametrize(
    ("neighbour", "says"),
    [
        (virtual_host(listen(443, "::", "ssl"), names=("matrix.example.com",)), "already has a site on port 443"),
        (virtual_host(listen(443, "::", "ssl"), names=("x", "*.example.com")), r"ServerAlias \*.example.com"),
        (virtual_host(listen(443)), "speaks plain HTTP on port 443, where Palpo needs TLS"),
        (virtual_host(listen(80, "::", "ssl")), "speaks TLS on port 80, where Palpo needs plain HTTP"),
        (virtual_host(listen(80, "::", "any_port")), "names no port"),
        (virtual_host(listen(80), file="zzz.conf"), "read after ours and would no longer be the default"),
    ],
)
def test_neighbours_that_leave_no_place_are_named(neighbour: ServerBlock, says: str) -> None:
    """With file and line, before anything is written."""
    with pytest.raises(RefusedPlan, match=says) as refused:
        rendered(apache(neighbour))
    assert refused.value.where == f"{neighbour.file}:1"


def test_a_line_for_the_whole_server_that_would_come_first_is_named() -> None:
    """Nothing in our files could be asked before it."""
    words = ("proxypass", "/", "http://127.0.0.1:3000/")
    line = Everywhere(ETC / "conf-enabled/app.conf", 3, words)
    awake = replace(apache().awake, everywhere=(line,))
    with pytest.raises(RefusedPlan, match=r"outside every virtual host stands proxypass /") as refused:
        rendered(replace(apache(), awake=awake))
    assert refused.value.where == f"{line.file}:3"


def test_what_is_set_for_the_whole_server_is_switched_off_in_each_of_our_hosts() -> None:
    """A firewall for web pages, questions about the name of each client, requests to anywhere."""
    found = rendered(apache())
    for file in (found.plain.files[-1].text, found.secure.files[-1].text):
        for line in ("SecRuleEngine Off", "HostnameLookups Off", "ProxyRequests Off"):
            assert (
                len(re.findall(rf"(?m)^ +{line}$", file)) == 2 == file.count("ServerName") - file.count("main-server")
            )


def test_the_same_site_has_the_same_marker_and_another_one_another() -> None:
    """Also the file of limits is proven by it."""
    first, again = rendered(apache()), rendered(apache())
    assert first == again
    other = rendered(apache(), answers=replace(ANSWERS, federation=replace(ANSWERS.federation, port=1)))
    assert first.plain.expectations[0].marker == other.plain.expectations[0].marker
    lower = rendered(replace(apache(), header_limits=(9000, 0)))
    assert [file.path.name for file in lower.secure.files] == ["zz-palpo-installer-tls.conf"]
    assert lower.secure.expectations[0].marker != first.secure.expectations[0].marker
    assert "Header lines may have 9000 bytes" in " ".join(lower.findings)


def test_most_requests_pass_by_the_conditions_and_long_bodies_do_not() -> None:
    """All conditions of a host that passes requests on stand in one, which a long body meets whatever its path is."""
    file = text()
    length = len(str(re.search(r"-gt (\d+)", file)[1]))  # type: ignore[index]
    assert f'SetEnvIf Content-Length "^.{{{length}}}" !palpo_installer_usual' in file
    passing = next(host for host in file.split("</VirtualHost>") if "ProxyPassMatch" in host)
    assert re.findall(r"(?m)^    <If (.*)>$", passing) == ["\"-z reqenv('palpo_installer_usual')\""]
    assert "Redirect 413" in passing[passing.index("palpo_installer_usual')") :]


def test_prefork_has_no_http2() -> None:
    """mod_http2 takes part in none."""
    found = rendered(replace(apache(), mpm="prefork"))
    assert "Protocols" not in found.secure.files[-1].text
    assert "http2.load" not in {link.path.name for link in found.secure.links}
    assert "Protocols h2 http/1.1" in text()


def test_a_homeserver_with_a_name_is_refused() -> None:
    """A name can stand for several addresses, of which only one answers; IPv6 is written in brackets."""
    for host, written in (("::1", "http://[::1]:8008/$1"), ("localhost", "")):
        homeserver = replace(ANSWERS.homeserver, upstream=Address(host, 8008))
        answers = replace(ANSWERS, homeserver=homeserver)
        if written:
            assert written in rendered(apache(), answers=answers).secure.files[-1].text
        else:
            with pytest.raises(RefusedPlan, match="not an IP address"):
                rendered(apache(), answers=answers)


def test_what_apache_cannot_do_is_said() -> None:
    """Limits for each client, once and with a cure, and bodies of unknown length."""
    findings = " ".join(rendered(apache(), answers=direct(8448)).findings)
    assert findings.count("cannot count the logins of each client") == findings.count("fail2ban") == 1
    assert "(chunked)" in findings


def test_modules_of_the_distribution_are_needed() -> None:
    """Without authz_core nothing could be granted; a module that is nowhere is named."""
    bare = replace(apache(modules=[each for each in LOADED if each != "alias_module"]), available=())
    with pytest.raises(RefusedPlan, match="mod_alias is not installed"):
        rendered(bare)
