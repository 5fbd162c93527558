"""Logs a search to TensorBoard, in `RUN/tensorboard`: a run per network and per final."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archdsl.base.errors import RunError
from archdsl.study.tracking import TRACKERS, Tracker, curves, needed, scores, trainings
from archdsl.study.watch import layout_text


@TRACKERS.register("tensorboard")
class TensorBoard(Tracker):
    """Writes event files through `torch.utils.tensorboard`."""

    def __init__(self) -> None:
        needed("tensorboard", "tensorboard")
        self._torch = needed("torch.utils.tensorboard", "tensorboard")
        self._hparams = needed("torch.utils.tensorboard.summary", "tensorboard").hparams
        self.folder = Path()

    def opened(self, folder: Path, plan: dict[str, Any]) -> None:
        """Make the folder."""
        self.folder = folder / "tensorboard"
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make the folder '{self.folder}': {error.strerror}", "check --run") from None

    def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        """A network's run, written anew if it was there: of a promoted one, the longer curve takes its place."""
        with self._writer(_name(record)) as writer:
            self._curves(writer, curves(record))
            for summary in self._hparams(_decided(record), scores(record)):
                writer.file_writer.add_summary(summary)
            for name, value in scores(record).items():
                writer.add_scalar(name if name not in curves(record) else f"{name}/end", value, record["epochs"])
            text = f"{record['state']}: {layout_text(record['layout'])}\n\n{_indented(record['spec'])}"
            writer.add_text("network", text + (f"\n\n{record['reason']}" if record["reason"] else ""))

    def written(self, results: dict[str, Any]) -> None:
        """The networks an earlier session trained without this log, the finals, and what was found."""
        for record in results["trials"]:
            if not (self.folder / _name(record)).exists():
                self.result(record, None)
        for name, finalist, run in trainings(results):
            with self._writer(name) as writer:
                self._curves(writer, curves(run))
                for split in ("validation", "test"):
                    for score, value in run[split].items():
                        writer.add_scalar(f"{split}/{score}", value, len(run["curve"]))
                writer.add_text("network", f"{layout_text(finalist['layout'])}\n\n{_indented(finalist['spec'])}")
        if results["best"] is not None:
            with self._writer("search") as writer:
                for score, direction in ((o["name"], o["direction"]) for o in results["objectives"]):
                    self._best(writer, results["trials"], score, direction)
                writer.add_text("command", _indented(results["command"]))

    def _best(self, writer: Any, trials: list[dict[str, Any]], score: str, direction: str) -> None:
        """The best so far after every network, as steps."""
        best: float | None = None
        for trial in trials:
            value = trial["scores"].get(score) if trial["state"] == "complete" else None
            if value is not None and (best is None or (value > best if direction == "maximize" else value < best)):
                best = float(value)
            if best is not None:
                writer.add_scalar(f"best/{score}", best, trial["number"])

    def _curves(self, writer: Any, found: dict[str, list[float]]) -> None:
        for name, values in found.items():
            for epoch, value in enumerate(values, 1):
                writer.add_scalar(name, value, epoch)

    @contextlib.contextmanager
    def _writer(self, name: str) -> Iterator[Any]:
        """A writer into a run that begins empty."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        with self._torch.SummaryWriter(str(folder)) as writer:
            yield writer


def _name(record: dict[str, Any]) -> str:
    return f"trial-{record['number']:04d}"


def _decided(record: dict[str, Any]) -> dict[str, str]:
    return {name: str(choice) for name, choice in record["decisions"].items()}


def _indented(text: str) -> str:
    """Text as Markdown leaves it alone."""
    return "\n".join(f"    {line}" for line in text.splitlines())
