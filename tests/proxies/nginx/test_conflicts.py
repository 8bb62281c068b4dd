"""What is said of a site; whether it is so is tried in tests/lab/test_nginx_conflicts.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from palpo_installer.proxies.found import Location, Rule, ServerBlock
from palpo_installer.proxies.nginx.conflicts import conflicts
from palpo_installer.proxies.nginx.rewriting import effects, request
from palpo_installer.proxies.virtual_hosts import Conflict
from palpo_installer.site import Challenge, Closed, FixedJson, Guest, Marker, Match, Scope
from tests.proxies.nginx.sites import NEIGHBOUR, block

SERVER, CLIENT = "/.well-known/matrix/server", "/.well-known/matrix/client"
GUEST = Guest("example.com", 443, True, (Marker(), FixedJson(CLIENT, "{}", 60), Closed(Match(SERVER, Scope.EXACT))))
PLAIN = Guest("example.com", 80, False, (Marker(), Challenge(Path("/w"))))


def rule(text: str, *inside: Rule, line: int = 5) -> Rule:
    """Return a directive, with what is in its block."""
    name, *arguments = text.split()
    return Rule(name, tuple(arguments), NEIGHBOUR, line, inside)


def site(*rules: Rule, locations: tuple[Location, ...] = ()) -> ServerBlock:
    """Return the site of example.com."""
    return replace(block("443 ssl", names=["example.com"]), rules=rules, locations=locations)


def test_a_location_that_is_there_is_named_with_its_line() -> None:
    """Also for a path that we only close; the others are not touched by it."""
    there = (
        Location("=", CLIENT, NEIGHBOUR, 12),
        Location("=", SERVER, NEIGHBOUR, 20),
        Location("", "/", NEIGHBOUR, 30),
    )
    found = conflicts(GUEST, site(locations=there))
    assert [(each.where, each.paths) for each in found] == [
        (f"{NEIGHBOUR}:12", (CLIENT,)),
        (f"{NEIGHBOUR}:20", (SERVER,)),
    ]
    assert found[0].what.startswith(f"the site has a location of its own for this path (location = {CLIENT})")
    assert found[0].next == "Remove that location: its answer comes from the included file then"


def test_a_redirect_of_everything_is_one_conflict_for_all_paths() -> None:
    """With where it leads, and how to write it so that locations come first."""
    (found,) = conflicts(PLAIN, site(rule("return 301 https://$host$request_uri")))
    assert found == Conflict(
        "return 301 https://$host$request_uri answers every request before any location is looked for",
        f"{NEIGHBOUR}:5",
        "Move this line into a location of its own: location / { return 301 https://$host$request_uri; }",
        ("/.well-known/palpo-installer", "/.well-known/acme-challenge/"),
        redirect="https://$host$request_uri",
    )


def test_certbots_redirect_is_foreseen_for_its_name_only() -> None:
    """The condition is said; for another name the block's own answer comes."""
    rules = (rule("if $host = example.com", rule("return 301 https://$host$request_uri", line=6)), rule("return 404"))
    (found,) = conflicts(PLAIN, site(*rules))
    assert (found.where, "with if ($host = example.com)" in found.what) == (f"{NEIGHBOUR}:6", True)
    (other,) = conflicts(replace(PLAIN, name="www.example.com"), site(*rules))
    assert (other.what.split(" answers")[0], other.redirect) == ("return 404", "")


def test_what_hangs_on_something_unknown_is_a_remark() -> None:
    """And so is what may come after it."""
    rules = (rule("if $bot", rule("break", line=6)), rule("return 403", line=8))
    assert [(each.certain, each.where) for each in conflicts(GUEST, site(*rules))] == [(False, f"{NEIGHBOUR}:8")]
    (lua,) = conflicts(GUEST, site(rule("access_by_lua_file /x.lua")))
    assert (lua.certain, lua.where) == (False, f"{NEIGHBOUR}:5")


def test_client_certificates_matter_over_tls_only() -> None:
    """On a plain port nobody can show one."""
    rules = (rule("ssl_verify_client on"),)
    assert [each.certain for each in conflicts(GUEST, site(*rules))] == [True]
    assert conflicts(PLAIN, site(*rules)) == ()


def test_a_variable_that_was_set_under_an_unknown_condition_is_unknown() -> None:
    """A later condition on it decides nothing."""
    rules = (
        rule("set $go 0"),
        rule("if $bot", rule("set $go 1", line=6)),
        rule("if $go", rule("return 403", line=8)),
    )
    known = request("example.com", 80, tls=False, path="/x")
    assert [each.certain for each in effects(rules, known)] == [False]
    assert effects((rules[0], rules[2]), known) == ()


def test_a_request_on_another_port_names_it() -> None:
    """As clients write it into the Host header."""
    assert request("example.com", 8443, tls=True, path="/x")["http_host"] == "example.com:8443"
    assert request("example.com", 443, tls=True, path="/x")["http_host"] == "example.com"
