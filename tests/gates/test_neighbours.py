from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from palpo_installer.gates.markers import leaf_of
from palpo_installer.gates.neighbours import (
    NOTHING,
    Neighbour,
    Observation,
    difference,
    differences,
    in_short,
    observe,
    of_open_sockets,
    seen,
)
from palpo_installer.operations.base import Workbench
from palpo_installer.probe import Answer
from palpo_installer.serialization import converter
from tests.benches import workbench
from tests.facts.made import certificate
from tests.gates.servers import Reply, serving
from tests.ports import free_port


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A workbench."""
    return workbench(tmp_path)


def neighbour(port: int, certificates: tuple[str, ...] = ()) -> Neighbour:
    """Return a site on a port of loopback."""
    return Neighbour("shop (shop.conf:3)", "127.0.0.1", port, False, "shop.example.org", "", False, certificates)


def by_round(*replies: Reply) -> Callable[[int], Reply]:
    """Return what answers the first requests in turn, and all later ones with the last."""
    return lambda number: replies[min(number, len(replies) - 1)]


def test_what_differs_between_two_samples_is_not_compared(bench: Workbench) -> None:
    """The status holds, the redirect has a token in it: only the status counts afterwards."""
    replies = by_round((302, {"Location": "/?a"}), (302, {"Location": "/?b"}), (302, {"Location": "/?c"}))
    with serving(replies) as port:
        baseline = observe([neighbour(port)], bench)
        assert baseline == (Observation("302", None, ""),)
        assert differences([neighbour(port)], baseline, bench, patience=0) == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((200, {}), (404, {}), "status 200 before, status 404 now"),
        ((301, {"Location": "/a"}), (301, {"Location": "/b"}), "redirected to /a before, to /b now"),
        ((301, {"Location": "/a"}), (301, {}), "redirected to /a before, to nowhere now"),
    ],
)
def test_a_difference_names_site_and_socket(bench: Workbench, before: Reply, after: Reply, said: str) -> None:
    """Status and redirect, before and after."""
    with serving(by_round(before, before, after)) as port:
        baseline = observe([neighbour(port)], bench)
        found = differences([neighbour(port)], baseline, bench, patience=0.5)
    assert found == (f"shop (shop.conf:3) on 127.0.0.1:{port}: {said}",)


def test_a_moment_of_reload_does_not_count(bench: Workbench) -> None:
    """Two answers with 502, then as before."""
    replies = by_round((200, {}), (200, {}), (502, {}), (502, {}), (200, {}))
    with serving(replies) as port:
        baseline = observe([neighbour(port)], bench)
        assert differences([neighbour(port)], baseline, bench, patience=10) == ()


def test_a_socket_that_was_closed_may_open_and_is_asked_back(bench: Workbench) -> None:
    """After a change the opening is no difference; after taking back it is."""
    port = free_port()
    baseline = observe([neighbour(port)], bench)
    assert baseline == (Observation("refused", "", ""),)
    with serving(lambda _: (200, {})) as opened:
        now: Sequence[Neighbour] = [neighbour(opened)]
        assert differences(now, of_open_sockets(baseline), bench, patience=0) == ()
        assert "refused before, status 200 now" in differences(now, baseline, bench, patience=0)[0]


def test_a_slow_site_says_nothing() -> None:
    """No answer in time before is nothing to compare by; the certificate it showed still is."""
    assert seen(Answer(problem="timed out")) == NOTHING
    assert seen(Answer(problem="timed out", certificate="ab")) == Observation(None, None, "ab")


def test_a_renewed_certificate_is_the_sites_own(bench: Workbench, tmp_path: Path) -> None:
    """Another leaf counts, unless it is the one in the file that the site's configuration names."""
    chain, key = tmp_path / "shop.pem", tmp_path / "shop.key"
    certificate("shop.example.org").write(chain, key)
    before = Observation("200", "", "00")
    answer = Answer(200, certificate=leaf_of(bench.host, chain))
    assert difference(neighbour(443, (str(chain),)), before, answer, bench) == ""
    assert "another certificate" in difference(neighbour(443), before, answer, bench)
    assert "another certificate" in difference(neighbour(443, (str(key),)), before, answer, bench)


def test_a_baseline_goes_through_json() -> None:
    """The journal keeps it, with what was not stable as null."""
    baseline = (Observation("200", None, "ab"), NOTHING)
    text = json.dumps(converter.unstructure(baseline))
    assert converter.structure(json.loads(text), tuple[Observation, ...]) == baseline


def test_a_site_is_asked_without_its_body() -> None:
    """HEAD, with its own name; an endless page is nobody's concern."""
    asked = neighbour(80).question
    assert (asked.method, asked.host, asked.port) == ("HEAD", "shop.example.org", 80)


def test_many_differences_are_counted() -> None:
    """Five are told, the others counted."""
    assert in_short(["a"]) == "a"
    assert in_short(list("abcdefg")) == "a; b; c; d; e; and 2 more"
