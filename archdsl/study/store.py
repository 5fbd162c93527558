"""Keeps a run's folder: journal, plan, results; every file is whole at every moment."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from pydantic import ValidationError

from archdsl.base.errors import ArchdslError, RunError, StudyError
from archdsl.base.files import unwritable, write_atomically
from archdsl.network import digest
from archdsl.study.plan import Plan
from archdsl.study.record import RECORD, records

_log = logging.getLogger(__name__)

PLAN = "study.json"
JOURNAL = "journal.log"
SHARED = "storage.json"  # stands where the records are in a storage; says under which name, never where
OWN = (PLAN, "checkpoints", "lock")  # what a folder may hold before its study has begun
FINAL = "final-"  # how the states of finals begin


class RunFolder:
    """The files of one run.

    Args:
        path: the folder; made when absent.
        plan: what the run is about.
        shared: the study's name in a storage, None for a search that keeps its own journal.

    Attributes:
        orphans: parameters of the trials that `study` found in training, though nobody was at work.

    Raises:
        StudyError: the folder belongs to another study, or another process is at work in it.
        RunError: it cannot be written.
    """

    def __init__(self, path: Path, plan: Plan, shared: str | None = None) -> None:
        self.path = path
        self.shared = shared
        self.plan = plan
        self.orphans: list[dict[str, Any]] = []
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._check_plan()
            self._check_place()
            (path / "checkpoints").mkdir(exist_ok=True)
        except OSError as error:
            raise _unusable(path, error) from None

    def _check_plan(self) -> None:
        file = self.path / PLAN
        if not file.exists():
            names = [p.name for p in self.path.iterdir()]
            foreign = [name for name in names if name not in OWN and not name.startswith(f".{PLAN}.")]
            if foreign and not file.exists():  # or they are of a search that began this very moment
                raise StudyError(f"'{self.path}' holds other files ({foreign[0]})", "choose an empty folder with --run")
            with self.lock():  # two that begin the same moment: one writes, the other is told so or finds it written
                if not file.exists():
                    write_atomically(file, self.plan.model_dump_json(indent=1) + "\n")
        try:
            theirs = Plan.model_validate_json(file.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError, OSError):
            raise StudyError(
                f"'{file}' cannot be read", "choose another folder with --run, or remove this one"
            ) from None
        if differences := self.plan.differences(theirs):
            raise StudyError(
                f"'{self.path}' holds another study; different: {'; '.join(differences)}",
                "choose another folder with --run, or repeat the command that began it",
            )

    def _check_place(self) -> None:
        """Two searches of one plan, one with a journal and one in a storage, would write the same files in turn."""
        mark = self.path / SHARED
        if self.shared is None:
            if mark.exists():
                raise StudyError(
                    f"'{self.path}' holds a search that keeps its records in a storage",
                    "give its --storage again, or choose another folder with --run",
                )
            return
        if (self.path / JOURNAL).exists():
            raise StudyError(
                f"'{self.path}' holds a search without --storage, with records of its own",
                "leave --storage out, or choose another folder with --run",
            )
        if not mark.exists():
            self.write_json(SHARED, {"study": self.shared})
        try:
            there = json.loads(mark.read_text(encoding="utf-8"))["study"]
        except (ValueError, KeyError, TypeError):
            raise StudyError(f"'{mark}' is damaged", "delete it; the same command writes it again") from None
        if there != self.shared:
            raise StudyError(
                f"'{self.path}' holds the study '{there}' of a storage, not '{self.shared}'",
                "choose another folder with --run, or give that name with --study",
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out while this one works.

        Raises:
            StudyError: another one is at work.
            RunError: the folder cannot be written.
        """
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            yield
            return
        try:
            opened = (self.path / "lock").open("w")
        except OSError as error:
            raise _unusable(self.path, error) from None
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StudyError(
                    f"another process is searching in '{self.path}'", "wait for it, or use another --run"
                ) from None
            yield

    def study(self) -> optuna.Study:
        """The Optuna study, made or loaded; trials that a killed process left running are closed.

        Raises:
            StudyError: the journal cannot be read.
        """
        journal = self.path / JOURNAL
        for mended in mend(journal):
            _log.warning("%s", mended)
        try:
            storage = JournalStorage(JournalFileBackend(str(journal)))
            study = optuna.create_study(
                study_name=self.plan.spec_name, storage=storage, load_if_exists=True,
                directions=[StudyDirection[direction.upper()] for _, direction in self.plan.objectives],
            )  # fmt: skip
            study.set_metric_names([name for name, _ in self.plan.objectives])
            unfinished = (optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.WAITING)
            for trial in study.get_trials(deepcopy=False, states=unfinished):
                if RECORD not in trial.user_attrs:
                    self.orphans.append(trial.params)
                settle(study, trial.number)
        except (ValueError, KeyError, json.JSONDecodeError) as error:
            raise StudyError(
                f"the journal in '{self.path}' is damaged: {error}", "move it away to begin anew"
            ) from None
        return study

    def records(self, study: optuna.Study) -> list[dict[str, Any]]:
        """The entries of all trials that ended on their own; see `archdsl.study.record`."""
        return records(trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished())

    def checkpoint(self, key: str) -> Path:
        """Where the training of one network keeps its state."""
        return self.path / "checkpoints" / f"{key}.safetensors"

    def remove_checkpoints(self, trials: Iterable[dict[str, Any]] = ()) -> None:
        """Free the disk of the states that nothing will go on from.

        Those of finals that were interrupted stay.

        Args:
            trials: records, of which those that wait at a rung keep theirs: with a larger budget they may be promoted.
        """
        waiting = {self.checkpoint(digest(t["key"])[:20]).name for t in trials if t["state"] == "stopped"}
        for file in (self.path / "checkpoints").glob("*.safetensors*"):
            final = file.name.startswith(FINAL) and file.suffix == ".safetensors"
            if not final and file.name not in waiting:
                file.unlink(missing_ok=True)

    def log_defect(self, text: str | None, number: int) -> None:
        """Keep the traceback of a defect met by a candidate, for whoever mends it."""
        if text:
            with (self.path / "defects.log").open("a", encoding="utf-8") as file:
                file.write(f"trial {number}\n{text}\n")

    def read_finals(self) -> dict[str, Any]:
        """What was already trained again, by `key-seed`; empty when there is nothing or it is damaged."""
        try:
            found = json.loads((self.path / "finals.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file of the run."""
        write_atomically(self.path / name, json.dumps(content, indent=1, allow_nan=False, default=_plain) + "\n")

    def write_architectures(self, best: str | None, front: dict[str, str]) -> None:
        """`best.arch`, and `pareto/*.arch` for a search of several objectives.

        Raises:
            RunError: the folder cannot be written, or the disk is full.
        """
        if best is not None:
            write_atomically(self.path / "best.arch", best)
        if front:
            folder = self.path / "pareto"
            shutil.rmtree(folder, ignore_errors=True)
            try:
                folder.mkdir()
            except OSError as error:
                raise unwritable(folder, error) from None
            for name, text in front.items():
                write_atomically(folder / f"{name}.arch", text)


def _unusable(folder: Path, error: OSError) -> ArchdslError:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return StudyError(f"'{folder}' is no folder", "choose another with --run")
    return RunError(f"cannot use the folder '{folder}': {error.strerror}", "choose another with --run")


def mend(journal: Path) -> list[str]:
    """Make a journal readable again whose last line was cut off, by a kill or a full disk; says what was done.

    The cut piece is kept beside the journal. A lock that a killed process left behind goes too: the folder's own lock
    says that nobody else is at work. Damage before the last line is left for Optuna to report.
    """
    done: list[str] = []
    lock = journal.with_name(f"{journal.name}.lock")
    if lock.is_symlink() or lock.exists():
        lock.unlink()
    if not journal.exists():
        return done
    content = journal.read_bytes()
    whole, newline, tail = content.rpartition(b"\n")
    last = whole.rpartition(b"\n")[2]
    if not tail and last and not _is_json(last):  # a torn line that something ended all the same
        whole, tail = whole[: len(whole) - len(last)].removesuffix(b"\n"), last
        newline = b"\n" if whole else b""
    if tail:
        kept = journal.with_name(f"{journal.name}.torn")
        with kept.open("ab") as file:
            file.write(tail + b"\n")
        write_atomically(journal, whole + newline)
        done.append(f"the last line of '{journal}' was cut off; it is in '{kept.name}', and what it said is done again")
    return done


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def settle(study: optuna.Study, number: int) -> None:
    """Close a trial whose process ended: with its values if its record was written already, else as failed."""
    values = study.trials[number].user_attrs.get(RECORD, {}).get("values")
    if values is None:
        study.tell(number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
    else:
        study.tell(number, values, skip_if_finished=True)


def _plain(value: Any) -> Any:
    """Numbers of NumPy as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"not JSON: {type(value).__name__}")
