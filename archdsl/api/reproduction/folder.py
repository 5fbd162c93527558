"""Keeps a rerun's folder: its plan, one record per finished training, and the results when all are there."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archdsl.api.reproduction.plan import Plan, Training
from archdsl.base.errors import RunError, StudyError
from archdsl.base.files import write_atomically

RESULTS = "results.json"
FORMAT = 1
_DIGITS = 7  # of float32


class Folder:
    """Keeps records under `records/` and the states of unfinished trainings under `work/`.

    Args:
        path: the folder; made if it is not there.
        plan: of this run.

    Raises:
        StudyError: another run's results are in it.
        RunError: it cannot be made or written.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = path, plan
        try:
            (path / "records").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the folder '{path}': {error.strerror}", "choose another with --run") from None
        self._claim()

    @property
    def work(self) -> Path:
        """Where trainings keep their states."""
        return self.path / "work"

    def record(self, training: Training) -> dict[str, Any] | None:
        """What is known of a training; None where it is not done, or its file is broken, and it is trained again."""
        try:
            found = json.loads(self.file(training).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = isinstance(found, dict) and found.get("hash") == training.architecture.hash
        return found if known and found.get("epochs") == training.recipe.epochs and "test" in found else None

    def file(self, training: Training) -> Path:
        """Where a training's record is kept."""
        return self.path / "records" / f"{training.name}.json"

    def _claim(self) -> None:
        file = self.path / "plan.json"
        if not file.exists():
            write_atomically(file, self.plan.model_dump_json(indent=1) + "\n")
            return
        try:
            there = Plan.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError):
            raise StudyError(f"'{file}' is no plan of a reproduction", "choose another folder with --run") from None
        if differing := there.differences(self.plan):
            raise StudyError(
                f"'{self.path}' holds another run ({', '.join(differing)} differ)", "choose another folder with --run"
            )


def rounded(value: Any) -> Any:
    """Plain data with its floats rounded; what is not finite becomes null, which JSON has.

    >>> rounded({"a": [1 / 3, float("nan")], "n": 3})
    {'a': [0.3333333, None], 'n': 3}
    """
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def load(path: Path) -> dict[str, Any]:
    """The results a run has written.

    Raises:
        StudyError: there are none, or they are of another kind.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise StudyError(f"there is no '{file}'", "archdsl reproduce writes it when all trainings are done") from None
    except ValueError:
        raise StudyError(f"'{file}' is no JSON document", "run archdsl reproduce again") from None
    if not isinstance(found, dict) or found.get("reproduction") != FORMAT:
        raise StudyError(f"'{file}' holds no results of archdsl reproduce", "run archdsl reproduce again")
    return found
