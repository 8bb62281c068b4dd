"""Nothing that is written is newer than the HAProxy it is for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.proxies.haproxy.rendering import OLDEST
from tests.proxies.haproxy.test_haproxy_rendering import WEB, found, rendered

SINCE: dict[str, tuple[int, ...]] = {
    # Sections and their lines.
    **dict.fromkeys(
        (
            "global", "tune.bufsize", "defaults", "mode", "timeout", "frontend", "bind", "backend", "acl", "server",
            "errorfile", "use-server", "default_backend", "use_backend", "stick-table", "option httpchk",
            "http-check expect", "option forwardfor",
            "http-request add-header", "http-request allow", "http-request del-header", "http-request redirect",
            "http-request sc-inc-gpc0",
            "http-request set-header", "http-request track-sc0", "http-request track-sc1", "http-request track-sc2",
            "http-request use-service", "http-request set-var",
        ),
        (1, 9),
    ),
    "from": (2, 4),
    "lua-load-per-thread": (2, 4),
    "http-after-response set-status": (2, 2),
    "http-after-response del-header": (2, 2),
    "http-error": (2, 2),
    "http-request return": (2, 2),
    "http-request wait-for-body": (2, 4),
    # Fetches and converters.
    **dict.fromkeys(
        (
            "base", "status", "str", "path", "method", "var", "src", "url_dec", "regsub", "field", "lower", "req.hdr",
            "req.hdr_val",
            "req.hdr_ip", "res.hdr", "sc_gpc0_rate", "src_gpc0_rate", "src_inc_gpc0", "dst_port", "map", "ssl_fc",
            "ipmask",
        ),
        (1, 9),
    ),
    "pathq": (2, 3),
    "host_only": (2, 6, 5),
}  # fmt: skip
"""Since which version HAProxy has each word, by its own change log; 1.9 stands for long before.

That 2.4 has all that is written for it, and that 2.2 lacks what is marked 2.4, is seen on the programs themselves
(tests/lab/test_haproxy_releases.py).
"""

VALUED = ("http-request", "http-after-response", "option", "http-check")


def used(text: str) -> set[str]:
    """Return the directives, fetches and converters of a configuration."""
    return {word for line in text.splitlines() for word in _words(re.sub(r"'[^']*'", "x", line).partition("#")[0])}


def _words(line: str) -> set[str]:
    first, *rest = line.split() or [""]
    if not first:
        return set()
    directive = f"{first} {rest[0].partition('(')[0]}" if first in VALUED else first
    samples = [*re.findall(r"\{ !?([^ ]+) ", line), *re.findall(r"%\[(.+?)\](?= |$)", line)]
    samples += rest[2:3] if first == "acl" else rest[1:2] if "track-sc" in line or "set-var" in line else []
    named = {name for sample in samples for name in re.findall(r"(?:^|,)([a-z_0-9.]+)(?=\(|,|$)", _flat(sample))}
    return {directive, *named, *({"from"} if first in {"frontend", "backend"} else ())}


def _flat(sample: str) -> str:
    """Return a sample expression with empty arguments."""
    return re.sub(r"\([^()]*\)", "()", sample)


def lines_of(tmp_path: Path, version: tuple[int, int, int], theirs: str) -> str:
    """Return everything that is written for a version: both files, and our lines in a file of somebody else's."""
    both = rendered(tmp_path, found(tmp_path, theirs, version=version, lua=True))
    files = [file.text for part in (both.plain, both.secure) for file in part.files if file.path.suffix == ".cfg"]
    return "\n".join([*files, *(line.text for lines in both.plain.lines for line in lines.add)])


@pytest.mark.parametrize("theirs", ["", WEB, f"    option forwardfor\n{WEB}"], ids=["alone", "shared", "forwarding"])
@pytest.mark.parametrize("version", [OLDEST, (2, 6, 4), (2, 6, 12), (3, 2, 0)])
def test_every_word_is_as_old_as_the_version(tmp_path: Path, version: tuple[int, int, int], theirs: str) -> None:
    """A word that is not known here is looked up first, and written down with its version."""
    words = used(lines_of(tmp_path, version, theirs))
    assert len(words) > 30
    assert {word for word in words if word not in SINCE} == set()
    assert {word for word in words if SINCE[word] > version} == set()


def test_a_word_of_a_later_version_would_be_seen(tmp_path: Path) -> None:
    """What is written for a newer HAProxy is not for the oldest."""
    words = used(lines_of(tmp_path, (2, 6, 12), WEB))
    assert {word for word in words if SINCE[word] > OLDEST} == {"host_only"}


@pytest.mark.parametrize("version", [(2, 2, 9), (2, 3, 21)])
def test_one_that_is_too_old_is_refused_by_name(tmp_path: Path, version: tuple[int, int, int]) -> None:
    """With its version, the program, and which versions do."""
    with pytest.raises(RefusedPlan, match=re.escape(f"HAProxy {'.'.join(map(str, version))} is too old")) as raised:
        lines_of(tmp_path, version, "")
    assert raised.value.where == "/usr/sbin/haproxy"
    assert "2.4 or newer" in raised.value.next
