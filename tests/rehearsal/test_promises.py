"""Faults in the templates: each breaks one promise, and a rehearsal names that one."""

from __future__ import annotations

import re

import pytest

from palpo_installer.answers import Delegation, Registration
from palpo_installer.layout import Layout
from palpo_installer.rehearsal import rehearse
from palpo_installer.verify.report import Report
from tests.rehearsal.made import MEDIA, Change, answers, faulty, instead, nginx

PASS_ON = r"proxy_pass (http://palpo_installer_\w+);"


def opened(paths: str) -> Change:
    """Return the change that passes closed paths on to the homeserver."""

    def change(text: str) -> str:
        upstream = re.search(r"proxy_pass (\S+);", text)
        if upstream is None:
            return text
        return re.sub(rf'(location ~ "\^/{paths}[^\n]*\n)[^\n]*return [^\n]*', rf"\1proxy_pass {upstream[1]};", text)

    return change


def media_to_the_homeserver(text: str) -> str:
    """Return the configuration with nothing passed on to the media repository."""
    names = re.findall(r"proxy_pass (\S+);", text)
    return text.replace(f"proxy_pass {names[0]};", f"proxy_pass {names[-1]};") if names else text


FAULTS: dict[str, tuple[Change, str, str]] = {
    "the target decoded": (
        instead(PASS_ON, r"proxy_pass \1$uri$is_args$args;"),
        "request targets",
        "request targets arrive byte for byte",
    ),
    "a way that is missing": (instead(r"/_palpo/client", "/_palpo/other"), "request targets", "does not arrive"),
    "media at the homeserver": (media_to_the_homeserver, "request targets", "instead of the media repository"),
    "a CORS header of our own": (
        instead(r'add_header Access-Control-Allow-Origin "";', 'add_header Access-Control-Allow-Origin "*" always;'),
        "answers",
        "comes 2 times, which browsers refuse",
    ),
    "errors replaced": (instead("proxy_intercept_errors off", "proxy_intercept_errors on"), "answers", "with 404"),
    "administration open": (opened("_palpo/admin"), "closed paths", "/_palpo/admin reaches the homeserver"),
    "no marker": (instead(r"add_header Palpo-Installer \w+ always;", ""), "marker", "none of ours"),
    "an earlier marker": (instead(r"(Palpo-Installer) \w+", r"\1 0123456789abcdef"), "marker", "an earlier one"),
    "the client's word for its address": (
        instead(r"X-Forwarded-For \S+;", "X-Forwarded-For $proxy_add_x_forwarded_for;"),
        "forwarding headers",
        "x-forwarded-for arrives as 203.0.113.66, 127.0.0.1 instead of 127.0.0.1",
    ),
    "a header that nobody clears": (
        instead(r'proxy_set_header X-Real-IP "";', ""),
        "forwarding headers",
        "X-Real-IP arrives as the client wrote it",
    ),
    "another Host": (instead(r"\$http_host", "$host:$server_port"), "forwarding headers", "host arrives as"),
    "registration open": (
        instead(r"if \(\$request_method = POST\) \{\n.*?\n +\}\n", ""),
        "registration",
        "/_matrix/client/v3/register reaches the homeserver",
    ),
    "the question of browsers closed": (
        instead(r"if \(\$request_method = POST\)", 'if ($request_method ~ "POST|OPTIONS")'),
        "registration",
        "OPTIONS /_matrix/client/v3/register gets 403",
    ),
    "no limits": (instead(r"limit_req zone=\S+ burst=\d+ nodelay;", ""), "limits", "all of 14 are taken"),
    "a limit without a burst": (instead(r"burst=\d+ nodelay", "nodelay"), "limits", "only 1 are taken"),
    "too low a body limit": (instead(r"client_max_body_size \d+", "client_max_body_size 1m"), "body size", "413"),
    "no body limit": (instead(r"client_max_body_size \d+", "client_max_body_size 0"), "body size", "instead of 413"),
    "nginx's own header limit": (
        instead(r"large_client_header_buffers 8 \d+", "large_client_header_buffers 4 8k"),
        "header size",
        "get 400",
    ),
    "another document": (instead("m.identity_server", "m.nothing"), "well-known", "client: it is"),
    "no CORS header at a document": (
        instead(r"(expires 3600s;)", r"\1 add_header X-Other 1;"),
        "well-known",
        "Access-Control-Allow-Origin is missing",
    ),
    "the media repository asked by the public name": (
        instead(r"(set \$palpo_installer_forwarded_host) example.com;", r"\1 matrix.example.com;"),
        "forwarding headers",
        "x-forwarded-host arrives as matrix.example.com instead of example.com",
    ),
    "a document that is plain text": (
        instead(r"(expires 3600s;)", r"\1 default_type text/plain;"),
        "well-known",
        "text",
    ),
    "a redirect that decodes": (instead(r"\$request_uri;", "$uri;"), "plain HTTP", "gets 301"),
    "challenges elsewhere": (instead(r"root \"[^\"]+\";", "root /nowhere;"), "plain HTTP", "what is in its file"),
}


def rehearsed(change: Change, delegation: Delegation = Delegation.SRV) -> Report:
    """Rehearse templates with a fault."""
    return rehearse(answers(delegation, media=MEDIA), nginx(), Layout(), render=faulty(change))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_exactly_the_promise_it_breaks(fault: str) -> None:
    """Everything else still passes, and the sentence says what was seen."""
    change, name, words = FAULTS[fault]
    failures = rehearsed(change).failures
    assert {check.name for check in failures} == {name}
    assert all(check.what.startswith("A promise would be broken: ") for check in failures)
    assert words in failures[0].what
    assert failures[0].next.startswith("Do not apply this")


@pytest.mark.parametrize("path", ["/", "/_matrix/"])
def test_a_path_behind_proxy_pass_is_not_even_taken(path: str) -> None:
    """It is refused by nginx where paths are chosen by a pattern; file, line and its own words are told."""
    (failure,) = rehearsed(instead(PASS_ON, rf"proxy_pass \1{path};")).checks
    assert (failure.name, failure in Report((failure,)).failures) == ("configuration", True)
    assert re.fullmatch(r"zz-palpo-installer-tls\.conf:\d+", failure.subject)
    assert "nginx takes the configuration" in failure.what
    assert '"proxy_pass" cannot have URI part' in failure.what


def test_every_kind_of_target_that_is_changed_is_counted() -> None:
    """The first three are shown with how they arrive."""
    failures = rehearsed(FAULTS["the target decoded"][0], Delegation.WELL_KNOWN).failures
    (failure,) = failures
    assert "encoded letters in front: /%5Fmatrix/media arrives as /_matrix/media" in failure.what
    assert re.search(r"; and \d\d more\.$", failure.what)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (instead("server_name example.com", "server_name other.invalid"), {"marker", "certificate", "server keys"}),
        (instead(r"/example\.com/(fullchain|privkey)", r"/somebody-else.invalid/\1"), {"marker", "certificate"}),
    ],
    ids=["name", "certificate"],
)
def test_what_other_servers_could_not_reach(change: Change, names: set[str]) -> None:
    """The wrong name, or the wrong certificate for it: another site of this nginx answers then."""
    failures = rehearsed(change).failures
    assert {check.name for check in failures} >= names
    assert "example.com:8448" in {check.subject for check in failures if check.name == "marker"}


def test_open_registration_is_limited() -> None:
    """It is passed on, and without its limit that is said."""
    unlimited = instead(r"limit_req zone=palpo_installer_register burst=\d+ nodelay;", "")
    choices = answers(registration=Registration.OPEN)
    (failure,) = rehearse(choices, nginx(), Layout(), render=faulty(unlimited)).failures
    assert (failure.name, failure.subject) == ("limits", "/_matrix/client/v3/register")


def test_closed_federation_that_is_open_is_named() -> None:
    """Without a delegation its paths are closed, and its keys are nobody's business."""
    federation = opened("_matrix/(?:federation|key|policy)")
    report = rehearse(answers(Delegation.NONE), nginx(), Layout(), render=faulty(federation))
    assert {check.name for check in report.failures} == {"closed paths", "federation off"}
