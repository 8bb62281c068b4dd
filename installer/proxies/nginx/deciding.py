"""What in a server block decides over its requests: locations, rewriting, access."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from palpo_installer.proxies.found import Location, Rule
from palpo_installer.proxies.nginx.rewriting import VARIABLE
from palpo_installer.proxies.nginx.tree import Directive

REWRITING = frozenset({"return", "rewrite", "if", "set", "break"})
"""The directives of ngx_http_rewrite_module, carried out one after the other before a location is chosen."""

ACCESS = frozenset(
    {"allow", "deny", "satisfy", "auth_basic", "auth_request", "auth_jwt", "auth_pam", "auth_ldap", "ssl_verify_client"}
)
"""Who may ask. What the server does not set itself it has from ``http``."""

FOREIGN = frozenset(
    {
        "access_by_lua_block", "access_by_lua_file", "access_by_lua", "rewrite_by_lua_block", "rewrite_by_lua_file",
        "rewrite_by_lua", "server_rewrite_by_lua_block", "server_rewrite_by_lua_file", "modsecurity", "js_access",
        "limit_req", "limit_conn", "more_set_headers", "testcookie", "naxsi", "SecRulesEnabled",
    }
)  # fmt: skip
"""What else may answer instead of a location, or change what it answers, and is inherited by locations."""

MODIFIERS = ("=", "^~", "~*", "~", "@")

TOGETHER = {"deny": "allow"}
"""Directives that make up one list: where a server has one of them, it inherits none."""


def locations(server: Directive) -> tuple[Location, ...]:
    """Return the locations directly in a server block (``ngx_http_core_location``)."""
    return tuple(
        Location(*_selector(each.arguments), each.file, each.line) for each in server.all("location") if each.arguments
    )


def _selector(arguments: tuple[str, ...]) -> tuple[str, str]:
    """Return modifier and path: nginx lets them be one word or two."""
    if len(arguments) > 1:
        return arguments[0], arguments[1]
    modifier = next((each for each in MODIFIERS if arguments[0].startswith(each)), "")
    return modifier, arguments[0].removeprefix(modifier)


def rules(server: Directive, http: Directive) -> tuple[Rule, ...]:
    """Return what decides over requests: what is inherited from ``http``, then what the server says itself.

    A variable that none of them asks for is left out: it may hold a key for some upstream, and is no concern of ours.
    """
    found = tuple(_rules(server, REWRITING | ACCESS | FOREIGN))
    own = tuple(_without_unused(found, frozenset(_asked_for(found))))
    said = {_list(rule.name) for rule in own}
    return (*(rule for rule in _rules(http, ACCESS | FOREIGN) if _list(rule.name) not in said), *own)


def _asked_for(rules: Iterable[Rule]) -> Iterator[str]:
    """Yield the names of variables that rules read; ``set`` writes its first."""
    for rule in rules:
        for argument in rule.arguments[rule.name == "set" :]:
            yield from (name for pair in VARIABLE.findall(argument) for name in pair if name)
        yield from _asked_for(rule.block)


def _without_unused(rules: Iterable[Rule], asked: frozenset[str]) -> Iterator[Rule]:
    for rule in rules:
        if rule.name != "set" or (rule.arguments and rule.arguments[0].lstrip("$") in asked):
            yield replace(rule, block=tuple(_without_unused(rule.block, asked)))


def _list(name: str) -> str:
    return TOGETHER.get(name, name)


def _rules(block: Directive, names: frozenset[str]) -> Iterator[Rule]:
    for each in block.block:
        if each.name in names:
            yield Rule(each.name, each.arguments, each.file, each.line, tuple(_rules(each, names)))
