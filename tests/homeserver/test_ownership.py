"""Who may read palpo.toml."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from palpo_installer.errors import RefusedPlan
from palpo_installer.facts.palpo import Palpo
from palpo_installer.homeserver.ownership import Owner, owner

NOBODY = pwd.getpwnam("nobody")
DAEMON = grp.getgrnam("daemon").gr_gid


def running_as(user: str, group: str) -> Palpo:
    """Return a Palpo that runs as an account."""
    return Palpo((), "unit", "palpo.service", "", "", user, group, "", "")


@pytest.mark.parametrize(
    ("user", "group", "expected"),
    [
        ("", "", Owner(os.geteuid(), os.getegid(), 0o600)),
        ("root", "", Owner(0, 0, 0o600)),
        ("nobody", "", Owner(NOBODY.pw_uid, NOBODY.pw_gid, 0o600)),
        ("nobody", "daemon", Owner(NOBODY.pw_uid, DAEMON, 0o600)),
        ("", "daemon", Owner(0, DAEMON, 0o640)),
        ("root", "daemon", Owner(0, DAEMON, 0o640)),
        ("root", "root", Owner(0, 0, 0o600)),
        ("64999", "64998", Owner(64999, 64998, 0o600)),
        ("64999", "", Owner(64999, 64999, 0o600)),
    ],
)
def test_palpo_can_read_it_and_nobody_else(user: str, group: str, expected: Owner) -> None:
    """Palpo's user alone; root with a group where Palpo only has that; numbers as a container has them."""
    assert owner(running_as(user, group)) == expected
    assert expected.mode & 0o007 == 0


@pytest.mark.parametrize(("user", "group", "kind"), [("no-such-user", "", "user"), ("", "no-such-group", "group")])
def test_an_account_that_is_not_there_is_refused_by_name(user: str, group: str, kind: str) -> None:
    """A file for root alone would keep Palpo from starting."""
    with pytest.raises(RefusedPlan, match=f"the {kind} no-such-{kind}"):
        owner(running_as(user, group))
