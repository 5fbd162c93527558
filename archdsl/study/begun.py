"""Where a study lives in, the plan it was begun with out; None where it is new."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine
from archdsl.study.plan import Plan
from archdsl.study.store import PLAN


def begun(folder: Path, storage: str | None = None, study: str | None = None) -> Plan | None:
    """The plan of a study that was begun; None too where it cannot be read, which is told where the study is opened.

    Args:
        folder: of the run.
        storage: a PostgreSQL, if the study is shared; study: its name there, by default that of the folder.

    Raises:
        StudyError: the storage cannot be used.
    """
    if storage is not None and (found := Ledger(open_engine(storage), study or folder.name).plan()) is not None:
        return _read(found[0])
    try:
        return _read((folder / PLAN).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _read(text: str) -> Plan | None:
    try:
        return Plan.model_validate_json(text)
    except ValidationError:
        return None
