"""Checks a space that takes long by `archdsl check` in a process of its own, which can be ended at any time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

from archdsl.base.errors import Diagnostic, Span
from archdsl.base.processes import safe_path

LONGEST = 20.0  # seconds; a space that takes longer is left to the command line


async def check(text: str, longest: float = LONGEST) -> tuple[Diagnostic, ...] | None:
    """The mistakes of a text as `archdsl check` finds them; None when that took too long.

    When the task is cancelled, since the text has changed meanwhile, the process ends with it.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "archdsl", "check", "-", "--json"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | safe_path(),
    )  # fmt: skip
    try:
        # In a thread: the processes of asyncio complain when the loop ends before they do.
        out, _ = await asyncio.to_thread(process.communicate, text.encode("utf-8", "replace"), longest)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
    return _mistakes(out)


def _mistakes(out: bytes) -> tuple[Diagnostic, ...] | None:
    try:
        errors = json.loads(out)["files"][0]["errors"]
    except (ValueError, LookupError):
        return None
    return tuple(Diagnostic(e["message"], _span(e), e["help"]) for e in errors)


def _span(error: dict[str, int | None]) -> Span | None:
    line, column, end_line, end_column = (error[key] for key in ("line", "column", "end_line", "end_column"))
    if line is None or column is None or end_line is None or end_column is None:
        return None
    return Span(line, column, end_line, end_column)
