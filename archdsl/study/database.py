"""Opens the PostgreSQL that several machines search with, and says in words what went wrong."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from archdsl.base.errors import RunError, StudyError, UsageError
from archdsl.base.interrupts import ask
from archdsl.base.passwords import masked

HEARTBEAT = "ARCHDSL_HEARTBEAT"  # environment variable: seconds between signs of life; the same for all workers
MISSED = 5  # so many signs of life have to be missed until a trial counts as lost
PATIENCE = 600.0  # seconds for which a lost connection is tried again

T = TypeVar("T")
LOST = (StorageInternalError, DBAPIError)

_log = logging.getLogger(__name__)


class Storage(RDBStorage):
    """Optuna's storage, whose heartbeat outlives a lost connection: the next beat tries again."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Say that a trial is alive; a beat that gets lost is no reason to stop."""
        try:
            super().record_heartbeat(trial_id)
        except LOST as error:
            _log.info("a heartbeat was lost: %s", _first_line(error))


def open_engine(url: str) -> sqlalchemy.Engine:
    """A connection pool of our own for a storage's URL.

    Raises:
        StudyError: the URL is none of PostgreSQL, the driver is absent, or the server does not answer.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except (SQLAlchemyError, ValueError):  # a port that is no number is a ValueError
        raise StudyError("--storage takes postgresql+psycopg://USER:PASSWORD@HOST/DATABASE") from None
    if parsed.get_backend_name() != "postgresql":
        raise StudyError(
            f"'{parsed.get_backend_name()}' is no storage for several processes",
            "--storage takes postgresql+psycopg://USER:PASSWORD@HOST/DATABASE; without it a run has its own journal",
        )
    shown = masked(url)
    if "@" in (parsed.host or ""):  # SQLAlchemy ends a password at the first one; libpq would print the rest as a host
        raise StudyError("the password in --storage holds an '@'", "write %40 for it, or keep it in ~/.pgpass")
    try:
        engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True, pool_size=2)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))
    except ImportError as error:
        raise StudyError(f"no driver for '{shown}': {error}", "pip install 'archdsl[postgresql]'") from None
    except SQLAlchemyError as error:
        raise StudyError(
            f"no connection to '{shown}': {_first_line(error)}",
            "is the server running, and are name and password right?",
        ) from None
    return engine


def open_storage(url: str) -> Storage:
    """Optuna's storage in a database that `open_engine` reached.

    Raises:
        StudyError: its tables belong to another version of Optuna.
    """
    said = os.environ.get(HEARTBEAT, "60")
    if not said.isdecimal() or not int(said):
        raise UsageError(f"{HEARTBEAT}={said} is no number of seconds")
    heartbeat, grace = int(said), MISSED * int(said)
    try:
        with one_at_a_time(url):
            return Storage(
                url, engine_kwargs={"pool_pre_ping": True, "pool_size": 2}, heartbeat_interval=heartbeat,
                grace_period=grace,
            )  # fmt: skip
    except RuntimeError as error:
        raise StudyError(
            f"the tables in the storage do not fit Optuna {optuna.__version__}: {_first_line(error)}",
            "'optuna storage upgrade --storage URL' brings them up to date, or use another database",
        ) from None
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StudyError(f"the storage cannot be used: {_first_line(error)}") from None


@contextmanager
def one_at_a_time(url: str) -> Iterator[None]:
    """Wait until nobody else is in here with the same database: two must not make tables at the same moment."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtext('archdsl storage'))"))
        yield


def patiently(work: Callable[[], T], patience: float = PATIENCE) -> T:
    """Do something that needs the database, again and again while its connection is lost.

    Raises:
        RunError: it stayed away for too long.
    """
    began, pause = time.monotonic(), 0.5
    while True:
        try:
            return work()
        except LOST as error:
            if time.monotonic() - began + pause > patience:
                raise RunError(
                    f"the storage was away for {patience:g} s: {_first_line(error)}",
                    "what was finished before is kept; the same command goes on",
                ) from None
            _log.warning("the storage does not answer (%s); trying again", _first_line(error))
            ask()
            time.sleep(pause)
            pause = min(30.0, 2 * pause)


def _first_line(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error.__cause__ or error
    return masked((str(original).strip().splitlines() or [type(error).__name__])[0])
