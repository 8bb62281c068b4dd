"""Faults in the templates of the other proxies: each breaks one promise, and a rehearsal names that one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from palpo_installer.answers import Delegation
from palpo_installer.layout import Layout
from palpo_installer.rehearsal import rehearse
from tests.rehearsal.made import KINDS, MEDIA, Change, answers, faulty, here, instead

Fault = tuple[Change, str, str]
"""A change in the templates, the check that must fail, and what it must say."""

APACHE: Mapping[str, Fault] = {
    "the target decoded": (instead(" nocanon", ""), "request targets", "request targets arrive byte for byte"),
    "errors replaced": (instead("ProxyErrorOverride Off", "ProxyErrorOverride On"), "answers", "with 404"),
    "no marker": (instead(r"Header always set Palpo-Installer", "Header always set Other"), "marker", "none of ours"),
    "another Host": (instead("ProxyPreserveHost On", "ProxyPreserveHost Off"), "forwarding headers", "host arrives as"),
    "a header that nobody clears": (
        instead("RequestHeader unset X-Real-IP early", ""),
        "forwarding headers",
        "X-Real-IP arrives as the client wrote it",
    ),
    "too low a body limit": (instead(r"-gt \d+", "-gt 1000000"), "body size", "413"),
    "challenges elsewhere": (instead(r'Alias "([^"]+)" "[^"]+"', r'Alias "\1" "/nowhere/"'), "plain HTTP", "its file"),
}

CADDY: Mapping[str, Fault] = {
    "the target decoded": (
        instead(r"(\t\t\treverse_proxy )", r"\t\t\trewrite * {http.request.uri.path}?{http.request.uri.query}\n\1"),
        "request targets",
        "request targets arrive byte for byte",
    ),
    "no marker": (instead(r"header Palpo-Installer", "header Other"), "marker", "none of ours"),
    "another Host": (
        instead("header_up -X-Forwarded-Host", "header_up Host {http.reverse_proxy.upstream.hostport}"),
        "forwarding headers",
        "host arrives as",
    ),
    "a header that nobody clears": (
        instead("header_up -X-Real-IP", ""),
        "forwarding headers",
        "X-Real-IP arrives as the client wrote it",
    ),
    "a CORS header of our own": (
        instead(r"(\t\t\treverse_proxy )", r"\t\t\theader +Access-Control-Allow-Origin *\n\1"),
        "answers",
        "comes 2 times, which browsers refuse",
    ),
    "no body limit": (instead(r"max_size \d+", "max_size 1GB"), "body size", "instead of 413"),
    "too low a body limit": (instead(r"max_size \d+", "max_size 1MB"), "body size", "413"),
    "challenges elsewhere": (instead(r"root \* `[^`]+`", "root * /nowhere"), "plain HTTP", "its file"),
}

HAPROXY: Mapping[str, Fault] = {
    "the target normalized": (
        instead(r"(    http-request del-header Forwarded\n)", r"\1    http-request set-path %[path,url_dec]\n"),
        "request targets",
        "request targets arrive byte for byte",
    ),
    "no marker": (instead(r"hdr Palpo-Installer", "hdr Other"), "marker", "none of ours"),
    "a CORS header of our own": (
        instead(
            r"(    option httpchk)",
            r"    http-response add-header Access-Control-Allow-Origin '*' unless { status 413 }\n\1",
        ),
        "answers",
        "comes 2 times, which browsers refuse",
    ),
    "a header that nobody clears": (
        instead("http-request del-header X-Real-IP", ""),
        "forwarding headers",
        "X-Real-IP arrives as the client wrote it",
    ),
    "too low a body limit": (instead(r"\(content-length\) gt \d+", "(content-length) gt 1000000"), "body size", "413"),
    "no limits": (instead(r"(rate\([^)]*\)) gt \d+", r"\1 gt 1000"), "limits", "are taken"),
    "HAProxy's own header limit": (instead(r"tune.bufsize \d+", "tune.bufsize 16384"), "header size", "get 4"),
    "challenges elsewhere": (instead("beg /.well-known/acme-challenge/", "beg /nowhere/"), "plain HTTP", "its file"),
}

OF_EACH = {"apache": APACHE, "caddy": CADDY, "haproxy": HAPROXY}
FAULTS = {(kind, name): OF_EACH[kind][name] for kind in KINDS for name in OF_EACH[kind]}


@pytest.mark.parametrize(("kind", "name"), FAULTS)
def test_a_fault_fails_exactly_the_promise_it_breaks(kind: str, name: str) -> None:
    """Everything else still passes, and the sentence says what was seen."""
    change, broken, words = FAULTS[kind, name]
    report = rehearse(answers(Delegation.SRV, media=MEDIA), here(kind), Layout(), render=faulty(change))
    assert {check.name for check in report.failures} == {broken}
    assert words in report.failures[0].what
