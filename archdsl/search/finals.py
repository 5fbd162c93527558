"""The finals: the search's leaders and the baselines trained again from scratch on several seeds, and tested."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from archdsl import analyses
from archdsl.architecture import Architecture, resolve_model
from archdsl.errors import RunError
from archdsl.language import parse, write
from archdsl.model import Network
from archdsl.search import candidate
from archdsl.search.baselines import baselines
from archdsl.search.runner import Runner
from archdsl.train import Metrics, evaluate

LEADERS = 2  # how many of the search's best are trained again; single trainings are too noisy to trust the first


class Finals:
    """Trains the finalists, one seed after the other; what is done is kept in the run's folder.

    Args:
        runner: a search that has ended.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.done: dict[str, Any] = runner.folder.read_finals()

    def run(self) -> list[dict[str, Any]]:
        """The finalists as `results.json` has them, the winner first.

        The winner is the finalist with the best mean on the validation split over all its trainings, baselines among
        them: it is not worse than they are by construction. The test split decides nothing.
        """
        runner = self.runner
        contenders = self._contenders()
        seeds = [runner.plan.seed + 1 + i for i in range(runner.plan.finalist_seeds)]
        total, count = len({a.hash for a in contenders.values()}) * len(seeds), 0
        for seed in seeds:
            for name, architecture in contenders.items():
                if f"{architecture.hash}-{seed}" not in self.done:
                    runner.watch.finals(count, total, name)
                    self._train(architecture, seed, analyse=seed == seeds[0])
                    count += 1
        entries = [self._entry(name, architecture, seeds) for name, architecture in contenders.items()]
        entries = [entry for entry in entries if entry["seeds"]]
        if not entries:
            return []
        winner = self._winner(entries)
        named = [entry for entry in entries if entry["name"] in baselines(runner.spec)]
        return [winner | {"name": "winner"}, *named]

    def _contenders(self) -> dict[str, Architecture]:
        """The leaders of the search and the baselines, each network once unless it goes by two names."""
        runner = self.runner
        name, direction = runner.plan.objectives[0]
        front = set(runner.front())
        complete = [t for t in runner.trials if t["state"] == "complete" and name in t["scores"]]
        ranked = sorted(complete, key=lambda t: t["scores"][name], reverse=direction == "maximize")
        ranked.sort(key=lambda t: t["number"] not in front)
        leaders = ranked[:LEADERS] if self._retrainable() else ranked[:1]
        found = {f"leader {i}": resolve_model(parse(t["spec"])) for i, t in enumerate(leaders, start=1)}
        return found | baselines(runner.spec)

    def _retrainable(self) -> bool:
        """Whether the finals measure what was searched for: one objective, and one that training gives."""
        objectives = self.runner.plan.objectives
        return len(objectives) == 1 and objectives[0][0] in ("accuracy", "nll", "ece")

    def _winner(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        if not self._retrainable():
            return entries[0]
        name, direction = self.runner.plan.objectives[0]

        def mean(entry: dict[str, Any]) -> float:
            return statistics.fmean(seed["validation"][name] for seed in entry["seeds"])

        return max(entries, key=mean) if direction == "maximize" else min(entries, key=mean)

    def _train(self, architecture: Architecture, seed: int, analyse: bool) -> None:
        runner = self.runner
        recipe = candidate.recipe_for(runner.plan.recipe, architecture)
        key = f"{architecture.hash}-{seed}"
        checkpoint = runner.folder.checkpoint(f"final-{key[:16]}-{seed}")
        outcome, network = candidate.evaluate(
            architecture, runner.data, recipe, [], seed=seed, device=runner.device, checkpoint=checkpoint,
            on_step=runner.watch.step,
        )  # fmt: skip
        if network is None:
            self.done[key] = {"failed": outcome.reason}
        else:
            tested = evaluate(network, runner.data.test, runner.data, device=runner.device)
            self.done[key] = {
                "seed": seed,
                "validation": {name: outcome.scores[name] for name in ("accuracy", "nll", "ece")},
                "test": _metrics(tested),
                "curve": [point["accuracy"] for point in outcome.curve],
            }
            if analyse:
                self.done[key] |= self._analyse(network, architecture, recipe.weight_decay)
        runner.folder.write_json("finals.json", self.done)
        runner.folder.forget(f"final-{key[:16]}-{seed}")

    def _analyse(self, network: Network, architecture: Architecture, weight_decay: float) -> dict[str, Any]:
        runner = self.runner
        found: dict[str, Any] = {"scores": {}, "analyses": {}}
        for name in ("hessian", "fourier"):
            try:
                results = analyses.measure_all(
                    network, runner.data, units=architecture.units, only=[name], seed=runner.plan.seed,
                    device=runner.device, options={"hessian": {"weight_decay": weight_decay}},
                )  # fmt: skip
            except RunError as error:
                runner.watch.say(f"{name}: {error.message}")
                continue
            found["scores"] |= analyses.scores(results)
            found["analyses"] |= {key: result.to_json() for key, result in results.items()}
        return found

    def _entry(self, name: str, architecture: Architecture, seeds: list[int]) -> dict[str, Any]:
        done: list[Mapping[str, Any]] = [self.done.get(f"{architecture.hash}-{seed}", {}) for seed in seeds]
        done = [one for one in done if "test" in one]
        measured = next((one for one in done if "analyses" in one), {})
        return {
            "name": name,
            "layout": architecture.layout,
            "hash": architecture.hash,
            "spec": write(architecture),
            "params": architecture.params,
            "macs": architecture.macs,
            "seeds": [{key: one[key] for key in ("seed", "validation", "test", "curve")} for one in done],
            "scores": measured.get("scores", {}),
            "hessian": measured.get("analyses", {}).get("hessian"),
            "fourier": measured.get("analyses", {}).get("fourier"),
        }


def _metrics(metrics: Metrics) -> dict[str, float]:
    return {"accuracy": metrics.accuracy, "nll": metrics.nll, "ece": metrics.ece}
