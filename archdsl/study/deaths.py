"""Counts how often a training took its process with it, and says when its network is given up."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archdsl.base.files import write_atomically

LIMIT = 3  # so often a training may end the process that also records, without an epoch ending in between
SEARCH, WORKER, MACHINE = "search", "worker", "machine"  # whose process it is: its own, one of the pool's, another's
_GIVEN_UP = {
    SEARCH: (LIMIT, "the search was killed {} times while training it, perhaps for want of memory"),
    WORKER: (2, "its process was killed twice, perhaps for want of memory"),
    MACHINE: (3, "its worker died {} times"),
}


def given_up(whose: str, times: int) -> str | None:
    """Why a network is not trained any more after so many deaths of its process; None where it is.

    >>> given_up(WORKER, 1), given_up(MACHINE, 3)
    (None, 'its worker died 3 times')
    """
    most, reason = _GIVEN_UP[whose]
    return reason.format(times) if times >= most else None


class Deaths:
    """How often a search that trains in its own process was killed in the training of each network.

    Where memory runs out, the system may kill that process without a word. Resumed, the search would meet the same
    network again, and again; so one is given up in the end. Whoever kills searches by hand, or loses power, is not
    taken for it as long as an epoch ends now and then.

    Args:
        file: keeps the counts, `{key: {"times": …, "checkpoint": …}}`; made when there is one. A note beside it says
            what is being trained, where the journal does not; that of a killed search is counted at once.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._note = file.with_name("training.json")
        self._known = _read(file)
        for key, checkpoint in _noted(self._note):
            self.add(key, checkpoint)
            self._note.unlink()

    @contextlib.contextmanager
    def noted(self, key: str, checkpoint: Path) -> Iterator[None]:
        """While this is trained, a note says so; only a process that is killed leaves it."""
        write_atomically(self._note, json.dumps({"key": key, "checkpoint": checkpoint.name}) + "\n")
        try:
            yield
        finally:
            self._note.unlink(missing_ok=True)

    def add(self, key: str, checkpoint: Path) -> None:
        """A search was found killed while it trained this network, whose state lies there."""
        try:
            state = checkpoint.stat().st_mtime_ns
        except OSError:
            state = 0  # no epoch has ended
        known = self._known.get(key, {})
        times = known["times"] + 1 if known.get("checkpoint") == state else 1
        self._known[key] = {"times": times, "checkpoint": state}
        write_atomically(self.file, json.dumps(self._known, indent=1) + "\n")

    def reason(self, key: str) -> str | None:
        """Why a network is not trained any more; None where it is."""
        return given_up(SEARCH, self._known.get(key, {}).get("times", 0))


def _noted(note: Path) -> list[tuple[str, Path]]:
    """What a note says, if there is one that can be read."""
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        return [(str(found["key"]), note.parent / "checkpoints" / str(found["checkpoint"]))]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """The counts; none where there is no file, or it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {
            str(key): {"times": int(one["times"]), "checkpoint": int(one["checkpoint"])} for key, one in found.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}
