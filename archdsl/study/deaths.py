"""Networks whose training took the whole search with it go in; which of them to give up comes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archdsl.files import write_atomically

LIMIT = 3  # so often a training may end the process that also records, without an epoch ending in between


class Deaths:
    """How often a search that trains in its own process was killed in the training of each network.

    Where memory runs out, the system may kill that process without a word. Resumed, the search would meet the same
    network again, and again; so one is given up in the end. Whoever kills searches by hand, or loses power, is not
    taken for it as long as an epoch ends now and then.

    Args:
        file: keeps the counts, `{key: {"times": …, "checkpoint": …}}`; made when there is one.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known = _read(file)

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
        times = self._known.get(key, {}).get("times", 0)
        if times < LIMIT:
            return None
        return f"the search was killed {times} times while training it, perhaps for want of memory"


def _read(file: Path) -> dict[str, dict[str, Any]]:
    """The counts; none where there is no file, or it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {
            str(key): {"times": int(one["times"]), "checkpoint": int(one["checkpoint"])} for key, one in found.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}
