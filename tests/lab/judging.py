"""Attacks by their names, those at one of all calls too, and the judge that carries one out on a run."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from tests.lab.attacked_proxies import DONE
from tests.lab.attacked_run import Moment, Run
from tests.lab.attacks import ATTACKS, KILLED, Attack, ending, nothing, send
from tests.system_calls import Call

NUMBERED = re.compile(r"(?P<later>a rollback )?(?:left alone|killed (?P<place>at|beside) call (?P<number>\d+))")
"""``killed at call N`` is the N-th call of all steps and all records together, from 0; ``killed beside call N`` is the
N-th of the engine's others: events, locks, what it keeps beside the journal. Each may be one of a rollback."""
NOWHERE = Moment("", "", 0)


def named(name: str) -> Attack:
    """Return an attack by its name."""
    found = NUMBERED.fullmatch(name)
    if found is None:
        return ATTACKS[name]
    later = bool(found["later"])
    if found["number"] is None:
        return Attack(ending, nothing, DONE, later=later)
    count, beside = int(found["number"]) + 1, found["place"] == "beside"

    def reached(run: Run, _moment: Moment, _call: Call) -> bool:
        return count == (run.beside if beside else run.calls)

    return Attack(reached, send(signal.SIGKILL), KILLED, later=later, beside=beside)


@dataclass
class Judge:
    """Carries out an attack on a run, once."""

    run: Run
    attack: Attack

    def __call__(self, call: Call) -> int:
        """Judge one call."""
        if done := self.run.meanwhile(call):
            return done
        moment = self.run.moment(call)
        if self.run.struck:
            return self.attack.afterwards(self.run, moment, call) if self.attack.afterwards else 0
        if (moment is None) is not self.attack.beside or not self.attack.place(self.run, moment or NOWHERE, call):
            return 0
        self.run.struck = True
        return self.attack.deed(self.run, call)
