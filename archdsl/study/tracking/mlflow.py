"""Logs a search to MLflow: a run for the search with its files, and one below it for every network and final.

Where `MLFLOW_TRACKING_URI` says, else in the run's folder: `RUN/mlflow.db`, files in `RUN/mlflow`.
"""

from __future__ import annotations

import logging
import math
import os
import time
from pathlib import Path
from typing import Any

from archdsl.base.errors import RunError
from archdsl.base.passwords import masked
from archdsl.study.tracking import FILES, TRACKERS, Tracker, curves, first_line, needed, scores, trainings
from archdsl.study.watch import layout_text

PARENT, NAME = "mlflow.parentRunId", "archdsl.name"  # tags: of what a run is part, and what it holds
SEARCH = "search"
MOST = 500  # metrics in one request


@TRACKERS.register("mlflow")
class MLflow(Tracker):
    """Writes through MLflow's own client, which keeps no state outside this object."""

    def __init__(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a search tells nobody but whom it was told to
        self._mlflow = needed("mlflow", "mlflow")
        self._entities = needed("mlflow.entities", "mlflow")
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)  # how a database is set up is no news
        self.folder = Path()
        self.client: Any = None
        self.experiment = ""
        self.runs: dict[str, str] = {}  # ids by what they hold

    def opened(self, folder: Path, plan: dict[str, Any]) -> None:
        """Find the experiment and the runs of an earlier session, or make the first."""
        self.folder = folder
        theirs = os.environ.get("MLFLOW_TRACKING_URI")
        place = theirs or f"sqlite:///{(folder / 'mlflow.db').absolute()}"
        name = f"archdsl {plan['spec_name']} {folder.absolute().name}"
        try:
            self.client = self._mlflow.MlflowClient(tracking_uri=place)
            found = self.client.get_experiment_by_name(name)
            files = None if theirs else (folder / "mlflow").absolute().as_uri()
            self.experiment = found.experiment_id if found else self.client.create_experiment(name, files)
            self._find_runs()
            if SEARCH not in self.runs:
                self._log(SEARCH, params=_flat(plan), metrics=[])
        except Exception as error:  # MLflow's own, its database's or its server's: all mean that it cannot be used
            raise RunError(
                f"MLflow at '{masked(place)}' cannot be used: {masked(first_line(error))}", "check MLFLOW_TRACKING_URI"
            ) from None

    def result(self, record: dict[str, Any], best: dict[str, Any] | None) -> None:
        """A network's run; of a promoted one, the run it has gets the further epochs."""
        metrics = [(name, v, epoch) for name, values in curves(record).items() for epoch, v in enumerate(values, 1)]
        metrics += [(f"score.{name}", value, record["epochs"]) for name, value in scores(record).items()]
        params = {name: str(choice) for name, choice in record["decisions"].items()}
        params |= {"layout": layout_text(record["layout"]), "hash": record["hash"]}
        tags = {"state": record["state"], "reason": record["reason"] or ""}
        self._log(_name(record), params=params, metrics=metrics, tags=tags, failed=record["state"] == "failed")

    def written(self, results: dict[str, Any]) -> None:
        """The networks an earlier session trained without this log, the finals, and the files of the search."""
        for record in results["trials"]:
            if _name(record) not in self.runs:
                self.result(record, None)
        for name, finalist, run in trainings(results):
            if name not in self.runs:
                metrics = [(n, v, epoch) for n, values in curves(run).items() for epoch, v in enumerate(values, 1)]
                for split in ("validation", "test"):
                    metrics += [(f"{split}.{score}", value, len(run["curve"])) for score, value in run[split].items()]
                params = {"layout": layout_text(finalist["layout"]), "hash": finalist["hash"], "seed": str(run["seed"])}
                self._log(name, params=params, metrics=metrics)
        best = [(f"best.{name}", v, len(results["trials"])) for name, v in scores(results["best"] or _NOTHING).items()]
        self._log(SEARCH, params={}, metrics=best)
        for file in FILES:
            if (self.folder / file).exists():
                self.client.log_artifact(self.runs[SEARCH], str(self.folder / file))

    def _find_runs(self) -> None:
        token = None
        while True:
            page = self.client.search_runs([self.experiment], page_token=token)
            self.runs |= {run.data.tags[NAME]: run.info.run_id for run in page if NAME in run.data.tags}
            token = page.token
            if not token:
                return

    def _log(
        self,
        name: str,
        *,
        params: dict[str, str],
        metrics: list[tuple[str, float, int]],
        tags: dict[str, str] | None = None,
        failed: bool = False,
    ) -> None:
        """Make the run of that name if it is not there, and add to it; the same again changes nothing."""
        known = name in self.runs
        if not known:
            own = {NAME: name} | ({} if name == SEARCH else {PARENT: self.runs[SEARCH]})
            self.runs[name] = self.client.create_run(self.experiment, run_name=name, tags=own).info.run_id
        now = int(time.time() * 1000)
        entities = self._entities
        points = [entities.Metric(_key(key), float(v), now, step) for key, v, step in metrics if math.isfinite(v)]
        settings = [] if known else [entities.Param(_key(key), value) for key, value in params.items()]
        labels = [entities.RunTag(key, value) for key, value in (tags or {}).items()]
        for start in range(0, max(1, len(points)), MOST):
            chosen = points[start : start + MOST]
            self.client.log_batch(self.runs[name], metrics=chosen, params=settings, tags=labels)
            settings = []
        self.client.set_terminated(self.runs[name], status="FAILED" if failed else "FINISHED")


_NOTHING: dict[str, Any] = {"scores": {}}


def _name(record: dict[str, Any]) -> str:
    return f"trial-{record['number']:04d}"


def _key(text: str) -> str:
    """A name of which MLflow takes every character."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in text)


def _flat(plan: dict[str, Any]) -> dict[str, str]:
    """The plan as settings: short values as they are, the recipe's one by one."""
    found = {key: str(value) for key, value in plan.items() if key not in ("recipe", "versions", "spec_text")}
    found |= {f"recipe.{key}": str(value) for key, value in plan["recipe"].items()}
    return found | {f"version.{key}": value for key, value in plan["versions"].items()}
