"""Claims networks for workers in a table of their database, so that none is trained twice.

A claim is one network up to one rung. The database itself sees to it that no network is claimed twice and that there
are never more networks than the budget allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

_metadata = MetaData()
_studies = Table(
    "archdsl_studies", _metadata,
    Column("name", String(512), primary_key=True),
    Column("plan", Text, nullable=False),
    Column("budget", Integer, nullable=False),
)  # fmt: skip
_claims = Table(
    "archdsl_claims", _metadata,
    Column("study", String(512), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("rung", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("trial", Integer, nullable=False),
    Column("tries", Integer, nullable=False, default=1),
    Column("worker", Text, nullable=False),
    UniqueConstraint("study", "rung", "key"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """One network up to one rung.

    Attributes:
        number: of the network in the study, from 0.
        rung: 0 for its first training, then how often it was promoted.
        key: `record.key_of` it.
        trial: number of the Optuna trial that trains it.
        tries: how many workers had it.
        worker: who has it.
    """

    number: int
    rung: int
    key: str
    trial: int
    tries: int
    worker: str


class Ledger:
    """The claims of one study.

    Args:
        engine: connections to the database.
        study: its name.
    """

    def __init__(self, engine: sqlalchemy.Engine, study: str) -> None:
        self.engine, self.study = engine, study
        with engine.begin() as connection:  # two processes must not make the tables at the same moment
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtext('archdsl'))"))
            _metadata.create_all(connection)

    def begin(self, plan: str, budget: int) -> str:
        """Enter the study, or raise the budget of one that is there; the plan it was begun with."""
        with self.engine.begin() as connection:
            connection.execute(
                insert(_studies).values(name=self.study, plan=plan, budget=budget).on_conflict_do_nothing()
            )
            there = connection.execute(self._own(select(_studies.c.plan, _studies.c.budget))).one()
            if budget > there.budget:
                connection.execute(_studies.update().where(_studies.c.name == self.study).values(budget=budget))
        return str(there.plan)

    def plan(self) -> tuple[str, int] | None:
        """Plan and budget of the study; None when there is none of this name."""
        with self.engine.connect() as connection:
            row = connection.execute(self._own(select(_studies.c.plan, _studies.c.budget))).one_or_none()
        return None if row is None else (str(row.plan), int(row.budget))

    def names(self) -> list[str]:
        """All studies in the database."""
        with self.engine.connect() as connection:
            return [str(name) for name in connection.execute(select(_studies.c.name)).scalars()]

    def claim(self, key: str, trial: int, worker: str) -> int | None:
        """Claim a new network; its number, or None when somebody has it or the budget is used up."""
        try:
            with self.engine.begin() as connection:
                budget = connection.execute(self._own(select(_studies.c.budget)).with_for_update()).scalar_one()
                mine = _claims.c.study == self.study
                number = connection.execute(select(func.count()).where(mine, _claims.c.rung == 0)).scalar_one()
                if number >= budget:
                    return None
                connection.execute(_claims.insert().values(self._row(number, 0, key, trial, worker)))
                return int(number)
        except IntegrityError:
            return None

    def promote(self, number: int, rung: int, key: str, trial: int, worker: str) -> bool:
        """Claim the next stretch of a network; False when somebody has it."""
        try:
            with self.engine.begin() as connection:
                connection.execute(_claims.insert().values(self._row(number, rung, key, trial, worker)))
        except IntegrityError:
            return False
        return True

    def reclaim(self, lost: Claim, trial: int, worker: str) -> bool:
        """Take over a claim whose worker is gone; False when somebody was quicker."""
        with self.engine.begin() as connection:
            done = connection.execute(
                self._place(_claims.update(), lost).values(trial=trial, worker=worker, tries=lost.tries + 1)
            )
        return bool(done.rowcount)

    def give_back(self, claim: Claim) -> None:
        """Let others take a claim over at once, without counting it as a failure of the network."""
        with self.engine.begin() as connection:
            connection.execute(self._place(_claims.update(), claim).values(tries=claim.tries - 1))

    def claims(self) -> list[Claim]:
        """All claims of the study."""
        columns = [_claims.c[name] for name in ("number", "rung", "key", "trial", "tries", "worker")]
        with self.engine.connect() as connection:
            rows = connection.execute(select(*columns).where(_claims.c.study == self.study)).all()
        return [Claim(*row) for row in rows]

    def _own(self, statement: sqlalchemy.Select[tuple]) -> sqlalchemy.Select[tuple]:  # type: ignore[type-arg]
        return statement.where(_studies.c.name == self.study)

    def _place(self, statement: sqlalchemy.Update, claim: Claim) -> sqlalchemy.Update:
        c = _claims.c
        return statement.where(
            c.study == self.study, c.number == claim.number, c.rung == claim.rung, c.trial == claim.trial
        )

    def _row(self, number: int, rung: int, key: str, trial: int, worker: str) -> dict[str, str | int]:
        return {
            "study": self.study, "number": number, "rung": rung, "key": key, "trial": trial, "tries": 1,
            "worker": worker,
        }  # fmt: skip
