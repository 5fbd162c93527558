"""Tells a person of the networks that were turned away before training."""

from __future__ import annotations

from collections.abc import Callable

import optuna

from archdsl.study.record import RECORD

FIRST = 10  # so many are told of, and from there on every doubling


class TurnedAway:
    """Tells, while a search goes on, how many were turned away and why: they are recorded, and nothing else is seen.

    Args:
        say: is told.
        before: how many there were when the search was begun or resumed.
    """

    def __init__(self, say: Callable[[str], None], before: int = 0) -> None:
        self.say = say
        self._next = FIRST
        while self._next <= before:
            self._next *= 2

    def tell(self, count: int, reason: str) -> None:
        """There are so many now, the last of them for this reason."""
        if count >= self._next:
            self.say(f"{count:,} networks were turned away before training so far, the last for this: {reason}")
            while self._next <= count:
                self._next *= 2


def reasons(study: optuna.Study) -> list[str]:
    """Why members were turned away, in order."""
    records = (trial.user_attrs.get(RECORD, {}) for trial in study.get_trials(deepcopy=False))
    return [record["reason"] for record in records if record.get("kind") == "unfit" and "reason" in record]


def summary(study: optuna.Study, count: int) -> str:
    """What to say at the end, where there are any."""
    found = reasons(study)
    last = f"; the last for this: {found[-1]}" if found else ""
    return f"{count:,} were turned away before training, at no cost to the budget{last}"
