"""Shows progress on standard error: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from archdsl.study.watch import Watch, layout_text


class Bar:
    """One training's progress: steps as a bar, epochs as lines where there is no terminal.

    Use as a context manager; `step` and `epoch` are callbacks of `archdsl.training.loop`.
    """

    def __init__(self, text: str) -> None:
        self.console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self.task = self.bar.add_task(text, total=None)

    def __enter__(self) -> Bar:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def step(self, done: int, total: int) -> None:
        """So many steps of so many."""
        self.bar.update(self.task, completed=done, total=total)

    def epoch(self, epoch: Any) -> None:
        """An epoch ended."""
        m = epoch.metrics
        self.console.print(
            f"epoch {epoch.number}: loss {epoch.train_loss:.4f}, validation accuracy {m.accuracy:.4f}, "
            f"NLL {m.nll:.4f}, {epoch.images_per_second:,.0f} images/s",
            highlight=False,
        )

    def say(self, text: str) -> None:
        """A line above the bar."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class SearchView(Watch):
    """A search as it goes: a bar over trials with the time left, one for the current training, a line per result."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.live = self.console.is_terminal
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
            console=self.console, transient=True, disable=not self.live,
        )  # fmt: skip
        self.trials: TaskID | None = None
        self.steps: TaskID | None = None
        self.began = time.monotonic()
        self.first = 0
        self.total = 0

    def say(self, text: str) -> None:
        """A line."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def begin(self, done: int, total: int) -> None:
        """Show the bars."""
        if done:
            self.say(f"going on from {done} networks that are already trained")
        self.first, self.total = done, total
        self.trials = self.bar.add_task("networks", total=total, completed=done, note="")
        self.steps = self.bar.add_task("training", total=None, note="")
        self.bar.start()

    def candidate(self, number: int, layout: str, params: int) -> None:
        """Name the network in training."""
        if self.steps is not None:
            self.bar.reset(self.steps, description="training", note=f"{layout}  {params / 1e3:,.0f}K")

    def step(self, done: int, total: int) -> None:
        """Move the training's bar."""
        if self.steps is not None:
            self.bar.update(self.steps, completed=done, total=total)

    def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        """A line for the network just trained."""
        number, layout = record["number"] + 1, layout_text(record["layout"])
        accuracy = record["scores"].get("accuracy")
        shown = "failed  " if accuracy is None else f"{accuracy:.4f}  "
        note = {"complete": "", "stopped": f"stopped after epoch {record['epochs']}", "failed": record["reason"] or ""}
        star = "  best so far" if best is not None and best["number"] == record["number"] else ""
        left = ""
        if not self.live and number > self.first:
            rate = (time.monotonic() - self.began) / (number - self.first)
            left = f"  about {rate * (self.total - number):.0f} s left"
        size = f"{record['params'] / 1e3:,.0f}K"
        self.say(f"{number:>4}/{self.total}  {shown}{layout}  {size}  {note[record['state']]}{star}{left}")
        if self.trials is not None:
            best_text = "" if best is None else f"best {best['scores'].get('accuracy', float('nan')):.4f}"
            self.bar.update(self.trials, completed=number, note=best_text)

    def finals(self, done: int, total: int, name: str) -> None:
        """The final trainings."""
        if done == 0:
            self.say("training the leaders and the baselines again, on several seeds")
        if self.trials is not None:
            self.bar.update(self.trials, description="finals", completed=done, total=total)
        if self.steps is not None:
            self.bar.reset(self.steps, description="training", note=name)

    def end(self) -> None:
        """Take the bars away."""
        self.bar.stop()
