"""Made-up but plausible results of a search: numbers in, the document that `results.json` would hold out."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import numpy as np

SPEC = """\
# Where should attention go?
model placement
input 1x28x28
stage(32)  [C {C|M} {C|M} {C|M}]
stage(64)  [C {C|M} {C|M} {C|M}]
stage(128) [C {C|M} {C|M} {C|M}]
maximize accuracy
"""
STAGES, SLOTS = 3, 3


def results(
    *,
    trials: int = 50,
    seeds: int = 3,
    seed: int = 0,
    finished: bool = True,
    objectives: tuple[tuple[str, str], ...] = (("accuracy", "maximize"),),
    failing: float = 0.04,
    stopping: float = 0.35,
    blocks: int = 4,
) -> dict[str, Any]:
    """A search over M or C at the last three places of each of three stages (earlier blocks are C)."""
    rng = np.random.default_rng(seed)
    names = [f"stage{s}.block{blocks - SLOTS + b}" for s in range(1, STAGES + 1) for b in range(1, SLOTS + 1)]
    fillings = list(itertools.product("CM", repeat=len(names)))
    order = [int(i) for i in rng.permutation(len(fillings))]
    tried = [_trial(n, fillings[order[n % len(order)]], names, rng, failing, stopping, blocks) for n in range(trials)]
    complete = [trial for trial in tried if trial["state"] == "complete"]
    best = max(complete, key=lambda trial: trial["scores"]["accuracy"], default=None)
    document = {
        "archdsl": "0.1.0",
        "language": 1,
        "command": f"archdsl search --budget {trials}",
        "versions": {"python": "3.11.7", "torch": "2.15.0", "optuna": "5.0.0"},
        "started": "2026-11-22T18:00:00+00:00",
        "seconds": 301.2,
        "device": "cpu (2 threads)",
        "seed": 0,
        "sampler": "gp",
        "budget": trials,
        "spec": {"name": "placement", "text": SPEC, "hash": _hash(SPEC), "size": 512, "feasible": 512},
        "data": {
            "name": "fashion",
            "digest": _hash("fashion"),
            "input": [1, 28, 28],
            "classes": 10,
            "train": 6000,
            "validation": 2000,
            "test": 2000,
        },
        "recipe": {"epochs": 4, "batch": 128, "lr": 0.002, "weight_decay": 0.05, "label_smoothing": 0.1},
        "objectives": [{"name": name, "direction": direction} for name, direction in objectives],
        "decisions": [{"name": name, "choices": ["C", "M"]} for name in names],
        "trials": tried,
        "best": best,
        "pareto": _pareto(complete, objectives),
        "finalists": [],
        "finished": finished,
    }
    if best is not None and finished:
        slots = [best["decisions"][name] for name in names]
        rivals = [("winner", slots), ("all C", ["C"] * 9), ("all M", ["M"] * 9), ("alternating", list("CMCMCMCMC"))]
        document["finalists"] = [_finalist(name, each, seeds, rng, blocks) for name, each in rivals]
    return document


def _layout(filling: Any, blocks: int) -> list[list[str]]:
    return [["C"] * (blocks - SLOTS) + list(filling[s * SLOTS : (s + 1) * SLOTS]) for s in range(STAGES)]


def _quality(filling: Any) -> float:
    """Accuracy of a placement: MSAs help at the ends of late stages and hurt at the beginning of the first."""
    weights = np.array([-0.016, -0.006, 0.002, -0.006, 0.002, 0.007, -0.002, 0.006, 0.013])
    return float(0.842 + weights @ [letter == "M" for letter in filling])


def _costs(filling: Any) -> tuple[int, int]:
    width = [32, 32, 32, 64, 64, 64, 128, 128, 128]
    params = sum(w * w * (18 if letter == "C" else 7) + 900 for letter, w in zip(filling, width, strict=True))
    return 90_000 + params, 4_000_000 + 90 * params


def _scores(filling: Any, accuracy: float, rng: np.random.Generator) -> dict[str, float]:
    msa = sum(letter == "M" for letter in filling)
    return {
        "accuracy": round(accuracy * 2000) / 2000,
        "nll": 0.9 - 0.52 * accuracy / 0.85 + rng.normal(0, 0.006),
        "ece": abs(rng.normal(0.045, 0.008)),
        "high_freq": -2.0 - 0.12 * msa + rng.normal(0, 0.15),
    }


def _trial(
    number: int, filling: Any, names: list[str], rng: np.random.Generator, failing: float, stopping: float, blocks: int
) -> dict[str, Any]:
    layout = _layout(filling, blocks)
    params, macs = _costs(filling)
    accuracy = _quality(filling) + rng.normal(0, 0.004)
    shape = np.array([0.80, 0.92, 0.97, 1.0]) + rng.normal(0, 0.006, 4) * [1, 1, 1, 0]
    state, reason, curve = "complete", None, (accuracy * shape).round(4).tolist()
    draw = rng.random()
    if draw < failing:
        state, reason, curve = "failed", "the loss became NaN in epoch 2", curve[:1]
    elif draw < failing + stopping + 6 * (0.842 - accuracy) and number > 3:
        state, curve = "stopped", curve[:1]
        reason = f"stopped after epoch 1: accuracy {curve[-1]:.3f} is in the lower half"
    scores = {} if state == "failed" else _scores(filling, curve[-1], rng)
    if state == "stopped":
        scores = {key: scores[key] for key in ("accuracy", "nll", "ece")}
    text = "".join(f"stage({32 * 2**s})[{' '.join(stage)}]\n" for s, stage in enumerate(layout))
    return {
        "number": number,
        "state": state,
        "hash": _hash(text),
        "spec": text,
        "layout": layout,
        "decisions": dict(zip(names, filling, strict=True)),
        "params": params,
        "macs": macs,
        "epochs": len(curve),
        "seconds": 0.9 * len(curve) + float(rng.random()),
        "reason": reason,
        "scores": scores,
        "curve": curve,
        "value_history": None,
    }


def _finalist(name: str, slots: list[str], seeds: int, rng: np.random.Generator, blocks: int) -> dict[str, Any]:
    layout = _layout(slots, blocks)
    text = "".join(f"stage({32 * 2**s})[{' '.join(stage)}]\n" for s, stage in enumerate(layout))
    params, macs = _costs(slots)
    runs = []
    for seed in range(1, seeds + 1):
        validation, test = (_quality(slots) + shift + rng.normal(0, 0.003) for shift in (0.012, 0.004))
        curve = [round(validation * part, 4) for part in (0.81, 0.92, 0.97, 1.0)]
        quality = [{k: v for k, v in _scores(slots, a, rng).items() if k != "high_freq"} for a in (validation, test)]
        runs.append({"seed": seed, "validation": quality[0], "test": quality[1], "curve": curve})
    msa = slots.count("M")
    return {
        "name": name,
        "layout": layout,
        "hash": _hash(text),
        "spec": text,
        "params": params,
        "macs": macs,
        "seeds": runs,
        "scores": {
            "log_ape": 2.9 - 0.11 * msa,
            "nep": 0.02 * msa,
            "ncr": 0.03 * msa,
            "lambda_max": 41.0 - 2.3 * msa,
            "high_freq": -2.0 - 0.12 * msa,
            "smoothing_contrast": -0.31,
        },
        "hessian": None,
        "fourier": None,
    }


def _pareto(trials: list[dict[str, Any]], objectives: tuple[tuple[str, str], ...]) -> list[int]:
    """Numbers of the trials that no other beats."""

    def value(trial: dict[str, Any], name: str, direction: str) -> float:
        found = trial[name] if name in ("params", "macs") else trial["scores"][name]
        return -float(found) if direction == "maximize" else float(found)

    points = {trial["number"]: [value(trial, *objective) for objective in objectives] for trial in trials}
    if len(objectives) == 1:
        return [min(points, key=lambda n: points[n])] if points else []
    return [
        n
        for n, p in points.items()
        if not any(all(a <= b for a, b in zip(q, p, strict=True)) and q != p for q in points.values())
    ]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def analysed(document: dict[str, Any], *, seed: int = 0) -> dict[str, Any]:
    """The document with Hessian and Fourier results in its finalists, in the form in which they are stored."""
    from archdsl.analyses.results.fourier import FourierResult, UnitCurve
    from archdsl.analyses.results.hessian import HessianResult

    rng = np.random.default_rng(seed)
    for finalist in document["finalists"]:
        blocks = [(s, b, label) for s, stage in enumerate(finalist["layout"], 1) for b, label in enumerate(stage, 1)]
        msa = sum(label == "M" for *_, label in blocks)
        size = 10 ** rng.normal(1.4 - 0.04 * msa, 0.25, (12, 5))
        eigenvalues = np.where(rng.random((12, 5)) < 0.02 * msa, -0.3 * size, size)
        finalist["hessian"] = HessianResult(
            eigenvalues=eigenvalues,
            residuals=np.full((12, 5), 1e-4),
            smallest=eigenvalues.min(1),
            largest=eigenvalues.max(1),
            products=np.full(12, 18.0),
            asymmetry=np.full(12, 1e-7),
            loss=np.full(12, 0.4),
            params=finalist["params"],
            images=16,
            weight_decay=0.0,
        ).to_json()
        level, curves = -2.0, []
        for s, b, label in blocks:
            side = 32 // 2**s
            frequency = np.linspace(0, 1, side // 2 + 1)
            before = None if b == 1 else -level * -1 * frequency**0.8
            level += (-0.55 if label == "M" else 0.3) + float(rng.normal(0, 0.1)) - (0.3 if b == 1 else 0.0)
            after = level * frequency**0.8
            path, word = f"stage{s}.block{b}", "msa" if label == "M" else "conv"
            curves.append(UnitCurve(path, label, word, s, (side, side), frequency, after, before))  # type: ignore[arg-type]
        finalist["fourier"] = FourierResult(
            units=tuple(curves),
            images=np.full(4, 128.0),
            high_freq=np.full(4, -2.0),
            smoothing_contrast=np.full(4, -0.5),
            notes=(),
        ).to_json()
    return document


def trial(number: int, stages: str, accuracy: float) -> dict[str, Any]:
    """A complete trial: `CCM CM` and its accuracy."""
    placed = [list(stage) for stage in stages.split()]
    return {"number": number, "state": "complete", "layout": placed, "decisions": {}, "scores": {"accuracy": accuracy}}
