"""One contract for every analysis in the registry, and what they share: batches, forward passes, scores."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_networks import HYBRID_UNITS, hybrid, one_thread  # noqa: F401
from torch import Tensor, nn

from archdsl import analyses
from archdsl.analyses import ANALYSES, SCORES, Analysis, Result, Sample, batches, measure_all, quality
from archdsl.analyses.subjects.folder import draw_files, stems
from archdsl.base import colours
from archdsl.base.errors import ArchdslError, DataError, RunError, UnknownNameError, UsageError
from archdsl.data.dataset import Dataset, Split
from archdsl.ir.scores import info
from archdsl.network.units import Unit


def _split(count: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Split(pixels, torch.randint(0, 3, (count,), generator=generator))


@pytest.fixture
def data() -> Dataset:
    return Dataset("noise", 3, _split(40, 0), _split(20, 1), _split(20, 2), (0.5,), (0.3,), True, "0" * 64)


@pytest.fixture
def results(data: Dataset) -> dict[str, Result]:
    model = hybrid(dtype=torch.float32)
    return measure_all(
        model,
        data,
        units=HYBRID_UNITS,
        only=list(ANALYSES),
        batches=2,
        size=4,
        options={"hessian": {"k": 3}, "hessian_density": {"steps": 8}},
    )


@pytest.mark.parametrize("seed", [2**64 - 1, 2**70])
def test_any_whole_number_is_a_seed(seed: int, data: Dataset) -> None:
    """Some analyses multiply it by the number of a batch and more; such a product has no bound."""
    seeded = [name for name in ANALYSES if ANALYSES[name].takes("seed")]
    options: dict[str, dict[str, Any]] = {"hessian_density": {"steps": 2}, "landscape": {"points": 3}}
    found = measure_all(
        hybrid(dtype=torch.float32),
        data,
        units=HYBRID_UNITS,
        only=seeded,
        batches=1,
        size=2,
        options=options,
        seed=seed,
    )
    assert list(found) == seeded


@pytest.mark.parametrize("name", list(ANALYSES))
def test_contract(name: str, results: dict[str, Result]) -> None:
    analysis, result = ANALYSES[name], results[name]
    assert isinstance(result, analysis.result)
    assert analysis.name == name
    scores, errors = result.scores(), result.standard_errors()
    assert scores
    assert set(errors) <= set(scores) <= set(analysis.scores)
    assert all(math.isfinite(value) for value in (*scores.values(), *errors.values()))
    assert all(info(score).source in (name, "training") for score in analysis.scores)

    again = analysis.result.from_json(json.loads(json.dumps(result.to_json(), allow_nan=False)))
    assert again.to_json() == result.to_json()
    assert again.scores() == scores
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.images = 3  # type: ignore[attr-defined]
    for damaged in ({}, [], None, {**result.to_json(), "images": "many"}):
        with pytest.raises(DataError, match="measure it again"):
            analysis.result.from_json(damaged)

    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    analysis.plot(again, axes)
    analysis.plot(again, axes, label="second", color=colours.network(1))
    figure.canvas.draw()


def test_scores_have_one_provider_each() -> None:
    provided = [score for name in ANALYSES for score in ANALYSES[name].scores]
    assert len(provided) == len(set(provided))
    assert {score for score, known in SCORES.items() if known.source in ANALYSES} <= set(provided)


def test_scores_are_known_without_torch() -> None:
    code = "import sys; from archdsl.ir.scores import info; info('log_ape'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="unknown score 'log_app'") as caught:
        info("log_app")
    assert caught.value.help == "did you mean 'log_ape'?"
    with pytest.raises(ValueError, match="explain sharpness"):
        Analysis("mine", ("sharpness",), Result, print, print, Sample("train", True, 1, 1))  # type: ignore[arg-type]


def test_measuring_all(data: Dataset, results: dict[str, Result]) -> None:
    assert list(results) == list(ANALYSES)
    assert {"log_ape", "nep", "ncr", "lambda_max", "high_freq", "smoothing_contrast", "nll"} <= set(
        analyses.scores(results)
    )
    assert "lambda_max" in analyses.standard_errors(results)
    told = []
    model = hybrid(dtype=torch.float32)
    some = measure_all(
        model, data, units=HYBRID_UNITS, only=["quality", "fourier"], batches=2, size=4,
        on_result=lambda name, result: told.append(name),
    )  # fmt: skip
    assert list(some) == ["quality", "fourier"]
    assert sorted(told) == ["fourier", "quality"]
    assert some["fourier"].scores() == results["fourier"].scores()
    with pytest.raises(UnknownNameError):
        measure_all(model, data, only=["fourrier"])
    with pytest.raises(UnknownNameError):
        measure_all(model, data, only=["quality"], options={"hesian": {}})


def test_every_view_is_a_file(results: dict[str, Result], tmp_path: Path) -> None:
    for name, result in results.items():
        draw_files(name, result, tmp_path)
        drawn = {path.name for path in tmp_path.glob(f"{name}*")}
        assert drawn == {f"{stem}.{end}" for stem, _ in stems(name) for end in ("svg", "png")}
    assert (tmp_path / "landscape-surface.png").read_bytes().startswith(b"\x89PNG")
    assert all(path.stat().st_size > 1000 for path in tmp_path.iterdir())


def test_what_a_network_cannot_have_is_left_out_if_one_asks_for_that(data: Dataset) -> None:
    model = hybrid(dtype=torch.float32)
    model.stage2.add_module("pool", nn.AdaptiveAvgPool2d(1))
    unit = Unit("stage2.pool", "C", "conv", 2, (1, 1))  # no frequencies, no variance, and nothing to put in its place
    told: dict[str, ArchdslError] = {}
    only = ["fourier", "variance", "cka", "lesion", "quality"]
    options = {"units": [unit], "only": only, "batches": 2, "size": 4}
    found = measure_all(model, data, **options, on_failure=told.__setitem__)
    assert list(found) == ["cka", "quality"]
    assert {name: "1 x 1" in error.message for name, error in told.items()} == {
        "fourier": True, "variance": True, "lesion": False
    }  # fmt: skip
    with pytest.raises(RunError, match="no frequencies"):
        measure_all(model, data, **options)

    def full(name: str, result: Result) -> None:
        raise RunError("the disk is full")

    with pytest.raises(RunError, match="disk is full"):  # no fault of the network
        measure_all(model, data, **options, on_result=full, on_failure=told.__setitem__)


class Itself(nn.Module):
    """Its images are its logits."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def test_the_standard_error_of_the_calibration_error_is_that_of_the_bootstrap() -> None:
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    logits = 2 * torch.randn(3000, 4, generator=generator)
    labels = torch.multinomial((logits / 2).softmax(1), 1, generator=generator)[:, 0]  # twice as sure as it should be
    found = quality.measure(Itself(), [(logits[:, :, None, None], labels)])
    confidence, answers = (part.numpy() for part in logits.softmax(1).max(1))
    gap, bins = (answers == labels.numpy()) - confidence, np.minimum(np.ceil(confidence * 15), 15)

    def ece(kept: np.ndarray) -> float:
        return sum(abs(gap[kept][bins[kept] == number].sum()) for number in range(1, 16)) / len(kept)

    assert found.ece == pytest.approx(ece(np.arange(3000)), rel=1e-5)
    drawn = [ece(rng.integers(0, 3000, 3000)) for _ in range(400)]
    assert found.standard_errors()["ece"] == pytest.approx(np.std(drawn), rel=0.15)


def test_a_block_that_gives_a_vector_is_left_out_alone(data: Dataset, results: dict[str, Result]) -> None:
    vector = Unit("head", "L", "mlp", 2, (0, 0))
    model, only = hybrid(dtype=torch.float32), ["fourier", "variance", "cka"]
    found = measure_all(model, data, units=[*HYBRID_UNITS, vector], only=only, batches=2, size=4)
    for name in only:
        assert found[name].scores() == results[name].scores()
    assert found["fourier"].notes == ("head is a vector: no frequencies",)
    with pytest.raises(RunError, match="no block has a map"):
        measure_all(model, data, units=[vector], only=["cka"], batches=2, size=4)


def test_a_result_stored_before_a_field_was_there(results: dict[str, Result]) -> None:
    document = results["landscape"].to_json()
    del document["compat"]
    again = ANALYSES["landscape"].result.from_json(document)
    assert again.to_json() == results["landscape"].to_json()
    del document["seed"]
    with pytest.raises(DataError, match="measure it again"):
        ANALYSES["landscape"].result.from_json(document)


def test_quality_agrees_with_the_training_loop(data: Dataset, results: dict[str, Result]) -> None:
    from archdsl.training.loop import evaluate

    expected = evaluate(hybrid(dtype=torch.float32), data.validation, data)
    assert results["quality"].scores() == pytest.approx(dataclasses.asdict(expected), rel=1e-5)


def test_batches_come_from_the_seed(data: Dataset) -> None:
    first = batches(data, count=3, size=4, seed=1)
    assert [tuple(x.shape) for x, _ in first] == [(4, 1, 8, 8)] * 3
    assert first[0][0].dtype == torch.float32
    assert first[0][1].dtype == torch.int64
    again, other = batches(data, count=3, size=4, seed=1), batches(data, count=3, size=4, seed=2)
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], other[0][0])


def test_batches_are_normalised_and_not_repeated(data: Dataset) -> None:
    drawn = torch.cat([x for x, _ in batches(data, count=10, size=4, augment=False)])
    pixels = data.train.images.float() / 255
    expected = (pixels - 0.5) / 0.3
    assert sorted(drawn.flatten(1).sum(1).tolist()) == pytest.approx(
        sorted(expected.flatten(1).sum(1).tolist()), abs=1e-3
    )
    whole = batches(data, count=None, size=7, augment=False, split="test")
    assert [len(x) for x, _ in whole] == [7, 7, 6]
    assert torch.equal(torch.cat([labels for _, labels in whole]), data.test.labels)


def test_a_split_smaller_than_the_sample(data: Dataset) -> None:
    assert [len(x) for x, _ in batches(data, count=12, size=16)] == [16, 16]
    assert [len(x) for x, _ in batches(data, count=12, size=64)] == [40]
    with pytest.raises(UsageError):
        batches(data, count=0)


@pytest.mark.parametrize("view", ["frequency", "depth"])
def test_both_views_of_the_fourier_curves(view: str, results: dict[str, Result]) -> None:
    figure = Figure()
    axes = figure.add_subplot()
    ANALYSES["fourier"].plot(results["fourier"], axes, view=view)
    figure.canvas.draw()
    assert axes.get_ylabel().startswith("relative log amplitude")
    assert len(axes.lines) >= len(HYBRID_UNITS)


def test_two_axes_for_the_two_signs(results: dict[str, Result]) -> None:
    figure = Figure()
    pair = figure.subplots(1, 2)
    result = results["hessian"]
    ANALYSES["hessian"].plot(result, pair, label="net")
    areas = sum(
        np.trapezoid(line.get_ydata(), np.log10(line.get_xdata()))
        for axes in pair
        for line in axes.lines
        if line.get_linestyle() != "None"
    )
    assert areas == pytest.approx(1, abs=0.01)
    assert pair[0].get_xlim()[0] > pair[0].get_xlim()[1] or not pair[0].lines
    nothing = dataclasses.replace(result, eigenvalues=np.zeros((2, 3)))
    ANALYSES["hessian"].plot(nothing, Figure().add_subplot())
