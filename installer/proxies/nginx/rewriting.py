"""What the directives of ngx_http_rewrite_module in a server block do with one request, before a location is chosen.

They are carried out one after the other (nginx, "Internal Implementation" of that module). What depends on more than
the request says, such as the client's address or a ``map``, is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from palpo_installer.proxies.found import Rule
from palpo_installer.proxies.nginx.patterns import compiled

VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
ELSEWHERE = re.compile(r"https?://|\$scheme", re.IGNORECASE)

Variables = dict[str, str | None]
"""Values by name without ``$``; None where it is not known."""


@dataclass(frozen=True)
class Effect:
    """A directive that answers a request, or leads it to another path.

    Attributes:
        rule: a ``return`` or a ``rewrite``.
        within: the conditions around it, outermost first.
        certain: whether it surely does; else it may.
        redirect: where it sends the client, as written; empty where it sends nobody anywhere.
    """

    rule: Rule
    within: tuple[Rule, ...]
    certain: bool
    redirect: str = ""


def request(name: str, port: int, *, tls: bool, path: str) -> Variables:
    """Return what is known of a GET request for a path of a name, with no query."""
    scheme = "https" if tls else "http"
    usual = port == (443 if tls else 80)
    return {
        "host": name,
        "http_host": name if usual else f"{name}:{port}",
        "scheme": scheme,
        "https": "on" if tls else "",
        "request_method": "GET",
        "uri": path,
        "document_uri": path,
        "request_uri": path,
        "args": "",
        "query_string": "",
        "is_args": "",
        "server_port": str(port),
    }


@dataclass
class _Walk:
    """A request on its way through the directives.

    Attributes:
        variables: as they are at this point.
        certain: whether the request surely gets here.
        stopped: whether it surely gets no further.
    """

    variables: Variables
    certain: bool = True
    stopped: bool = False

    def through(self, rules: Sequence[Rule], within: tuple[Rule, ...]) -> Iterator[Effect]:
        """Yield what may happen to the request."""
        for rule in rules:
            if self.stopped:
                return
            match rule.name:
                case "return":
                    yield self._effect(rule, within, redirect=_target(rule.arguments))
                case "rewrite" if len(rule.arguments) > 1:
                    yield from self._rewrite(rule, within)
                case "set" if len(rule.arguments) > 1:
                    self.variables[rule.arguments[0].lstrip("$")] = expanded(rule.arguments[1], self.variables)
                case "break":
                    self.stopped = True
                case "if":
                    yield from self._condition(rule, within)

    def _effect(self, rule: Rule, within: tuple[Rule, ...], redirect: str = "") -> Effect:
        self.stopped = True
        return Effect(rule, within, self.certain, redirect)

    def _rewrite(self, rule: Rule, within: tuple[Rule, ...]) -> Iterator[Effect]:
        """A path that stays the same goes on; ``last`` and ``break`` end the walk (ngx_http_rewrite)."""
        path = self.variables["uri"]
        expression, replacement, flag = compiled(rule.arguments[0]), rule.arguments[1], (*rule.arguments, "")[2]
        if expression is None or path is None:
            yield Effect(rule, within, False)
            return
        found = expression.search(path)
        if found is None:
            return
        self._capture(found)
        leads = replacement if ELSEWHERE.match(replacement) or flag in {"redirect", "permanent"} else ""
        target = expanded(replacement.partition("?")[0], self.variables)
        if leads:
            yield self._effect(rule, within, redirect=leads)
        elif target is None and path.startswith(VARIABLE.split(replacement)[0]):
            yield Effect(rule, within, False)
        elif target != path:
            yield self._effect(rule, within)
        elif flag:
            self.stopped = True

    def _condition(self, rule: Rule, within: tuple[Rule, ...]) -> Iterator[Effect]:
        holds = self._holds(rule.arguments)
        if holds:
            yield from self.through(rule.block, (*within, rule))
        elif holds is None:
            inside = _Walk(dict(self.variables), certain=False)
            yield from inside.through(rule.block, (*within, rule))
            self.certain = self.certain and not inside.stopped
            changed = {name for name, value in inside.variables.items() if value != self.variables.get(name)}
            self.variables |= dict.fromkeys(changed)

    def _holds(self, arguments: tuple[str, ...]) -> bool | None:
        """Return whether a condition of ``if`` holds, None where that cannot be said."""
        if len(arguments) == 1 and (name := VARIABLE.fullmatch(arguments[0])):
            value = self.variables.get(name[1] or name[2])
            return None if value is None else value not in {"", "0"}
        if len(arguments) != 3:
            return None
        value, (_, sign, other) = expanded(arguments[0], self.variables), arguments
        if value is None:
            return None
        if sign in {"=", "!="}:
            wanted = expanded(other, self.variables)
            return None if wanted is None else (value == wanted) == (sign == "=")
        expression = compiled(other, caseless="*" in sign)
        if expression is None or sign not in {"~", "~*", "!~", "!~*"}:
            return None
        found = expression.search(value)
        self._capture(found)
        return bool(found) != sign.startswith("!")

    def _capture(self, found: re.Match[str] | None) -> None:
        if found is not None:
            self.variables |= {str(number): text or "" for number, text in enumerate(found.groups(), 1)}
            self.variables |= {name: text or "" for name, text in found.groupdict().items()}


def expanded(text: str, variables: Variables) -> str | None:
    """Return a text with the values of its variables, None where one is not known."""
    values = {name: variables.get(name) for pair in VARIABLE.findall(text) for name in pair if name}
    if None in values.values():
        return None
    return VARIABLE.sub(lambda found: values[found[1] or found[2]] or "", text)


def _target(arguments: tuple[str, ...]) -> str:
    """Return where a ``return`` sends the client: with a status for that, or an address alone."""
    if len(arguments) == 1 and ELSEWHERE.match(arguments[0]):
        return arguments[0]
    return arguments[1] if len(arguments) == 2 and arguments[0] in {"301", "302", "303", "307", "308"} else ""


def effects(rules: Sequence[Rule], known: Variables) -> tuple[Effect, ...]:
    """Return what a server block's own directives do with a request; none where it gets to its location.

    Args:
        rules: those of the server block.
        known: of the request, as from ``request``; ``server_name`` may be among it.
    """
    return tuple(_Walk(dict(known)).through(rules, ()))
