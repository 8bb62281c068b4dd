"""The well-known documents that sites of Caddy answer themselves, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from palpo_installer.audit.caddy_cures import CURES
from palpo_installer.audit.caddy_passages import Answer, Site
from palpo_installer.audit.documents import PATHS, base_url_of, delegated_by, values_of
from palpo_installer.audit.finding import Finding, Trap
from palpo_installer.audit.traps import BOGUS, INVALID, NO_CORS, REDIRECTED, WRONG_TYPE
from palpo_installer.proxies.caddy.tree import Segment

ORIGIN = "access-control-allow-origin"


def judged(sites: Iterable[Site]) -> Iterator[Finding]:
    """Yield what is wrong with the documents.

    Source: client-server API, "Well-known URI" and "Web Browser Clients"; server-server API, "Resolving server
    names", 3. Measured: ``respond`` sends no CORS header, and JSON as application/json.
    """
    for site in sites:
        for kind, path in PATHS.items():
            answer = site.answer(path)
            # An answer to just anything is a website's, or that for what there is not, unless it is meant for Matrix.
            if answer is not None and answer.sure and (answer.chosen or _is_document(answer.by)):
                for trap, what in _faults(kind, path, answer):
                    cure, by = CURES[trap.rule], answer.by
                    yield trap.at(by.file, by.line, site.names[0] if site.names else "a site without a name", what,
                                  cure.sentence, *cure.lines)  # fmt: skip


def _is_document(by: Segment) -> bool:
    """Return whether an answer to whatever is asked was written as JSON."""
    return by.name == "respond" and body_of(by).lstrip().startswith("{")


def _faults(kind: str, path: str, answer: Answer) -> Iterator[tuple[Trap, str]]:
    if answer.by.name == "redir":
        yield REDIRECTED, f"{path} is redirected"
        return
    body = body_of(answer.by)
    if answer.by.name != "respond" or not body:
        return
    values = values_of(body)
    if values is None:
        yield INVALID, f"{path} is no valid JSON"
    elif kind == "client" and not base_url_of(values):
        yield INVALID, f"{path} has no usable m.homeserver.base_url"
    elif kind == "server" and not delegated_by(values):
        yield INVALID, f"{path} has no usable m.server"
    if kind == "client" and values is not None and "m.server" in values:
        yield BOGUS, f"{path} says m.server, which is for the other document"
    if kind == "client" and ORIGIN not in headers(answer.before):
        yield NO_CORS, f"{path} has no Access-Control-Allow-Origin"
    told = headers(answer.before).get("content-type", "")
    if told and not told.lower().startswith("application/json"):
        yield WRONG_TYPE, f"{path} comes as {told}"


def body_of(respond: Segment) -> str:
    """Return what a ``respond`` says, empty where it has a status alone, or refuses."""
    words = [word for word in respond.arguments if not word.startswith(("/", "@")) and word != "*"]
    words += [word for each in respond.all("body") for word in each.arguments]
    statuses = [word for word in words if word.isdigit() and len(word) == 3]
    texts = [word for word in words if word not in statuses]
    return texts[0] if texts and all(status == "200" for status in statuses) else ""


def headers(before: Iterable[Segment]) -> dict[str, str]:
    """Return the headers that ``header`` sets, in lower case."""
    return {name.lstrip("+?>").lower(): value for each in before for name, value, _ in operations(each) if value}


def operations(directive: Segment) -> Iterator[tuple[str, str, bool]]:
    """Yield what a ``header`` does: name with its sign, value, and whether it waits for the answer (``defer``)."""
    if directive.name != "header":
        return
    words = directive.arguments
    words = words[1:] if words[:1] and words[0].startswith(("/", "@", "*")) else words
    deferred = bool(directive.all("defer"))
    if words:
        yield words[0], " ".join(words[1:2]), deferred or words[0].startswith(("?", ">", "-"))
    for each in directive.block:
        if each.name != "defer":
            yield each.name, " ".join(each.arguments[:1]), deferred or each.name.startswith(("?", ">", "-"))
