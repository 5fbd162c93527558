"""Draws what a person reads of a search's `results.json`: `report.html`, and a table for the terminal.

    write(run)            reads run/results.json, writes run/report.html, returns its path
    render(document)      the same page as text
    summary(document)     the headline and the finalists, for a `rich` console

Everything here starts from the JSON alone and runs without torch, unless there are spectra to draw.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.base.files import write_atomically
from archdsl.study.results import load, read

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["load", "render", "summary", "write"]

PAGE = "report.html"


def write(run: Path, results: dict[str, Any] | None = None) -> Path:
    """Write or refresh the page of a run.

    Args:
        run: the run's folder.
        results: what to show; by default what its `results.json` holds.

    Returns:
        The path of `report.html` in it.

    Raises:
        StudyError: there are no usable results in the folder.
        RunError: the page cannot be written.
    """
    run = Path(run)
    folder = run.parent if run.suffix == ".json" else run
    return write_atomically(folder / PAGE, render(load(run) if results is None else results))


def render(results: dict[str, Any]) -> str:
    """The page for a results document, as one self-contained HTML text."""
    from archdsl.report.page import page

    return page(read(results))


def summary(results: dict[str, Any]) -> RenderableType:
    """The headline and a table of the finalists (or, before the finals, of the best trials)."""
    from archdsl.report.table import summary as table

    return table(read(results))
