"""Parts of a training by their formulas: what decays, learning rate, drop path, moving average, metrics."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from small_networks import one_thread  # noqa: F401
from torch import nn
from toy_training import RECIPE, Residual, net, toy

from archdsl.base.metrics import Metrics, Tally
from archdsl.ir.recipe import Recipe
from archdsl.network.model import set_drop_path
from archdsl.training.loop import evaluate
from archdsl.training.optimizer import AdamW, Average, learning_rate

# ------------------------------------------------------------------------------------------------ the optimizer


def test_only_the_weights_of_layers_decay():
    model = net()
    model.embedding = nn.Embedding(3, 8)
    groups = AdamW(model, RECIPE).groups
    names = {id(p): name for name, p in model.named_parameters()}
    decayed, others = ({names[id(p)] for p in parameters} for parameters, _ in groups)
    assert [decay for _, decay in groups] == [0.05, 0]
    assert decayed == {"stem.weight", "head.weight", *(f"blocks.{i}.branch.0.weight" for i in range(3))}
    assert {"table", "norm.weight", "embedding.weight", "blocks.0.branch.1.weight", "head.bias"} <= others
    assert decayed | others == set(names.values())


def test_steps_are_those_of_the_class_of_pytorch_to_the_bit():
    ours, theirs = net().eval(), net().eval()
    theirs.load_state_dict(ours.state_dict())
    optimizer = AdamW(ours, RECIPE)
    names = {id(p): name for name, p in ours.named_parameters()}
    parameters = dict(theirs.named_parameters())
    groups = [
        {"params": [parameters[names[id(p)]] for p in group], "weight_decay": decay}
        for group, decay in optimizer.groups
    ]
    reference = torch.optim.AdamW(groups, lr=1.0, fused=True)
    data = toy()
    for step in range(4):
        optimizer.lr = 0.01 / (1 + step)
        for group in reference.param_groups:
            group["lr"] = optimizer.lr
        for model, moves in ((ours, optimizer), (theirs, reference)):
            moves.zero_grad()
            F.cross_entropy(model(data.train.images[:8] / 255), data.train.labels[:8]).backward()
            if step == 2:  # a parameter that had no part in a step stays where it is
                model.head.bias.grad = None
            moves.step()
    assert all(torch.equal(p, parameters[name]) for name, p in ours.named_parameters())
    assert optimizer.state[ours.head.bias]["step"] == 3


def test_a_training_leaves_the_compiler_of_pytorch_alone():
    """Importing it takes longer than a small network trains, in every process of a search."""
    code = (
        "import sys\n"
        "from toy_training import RECIPE, net, toy\n"
        "from archdsl.training.loop import train\n"
        "train(net(), toy(), RECIPE)\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)


def test_learning_rate():
    recipe = Recipe(lr=1.0, warmup=0.25)
    rates = [learning_rate(step, 100, recipe) for step in range(100)]
    assert max(rates) == rates[25] == 1
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert learning_rate(0, 1, Recipe(lr=0.5)) == 0.5


def test_drop_path_rises_linearly():
    model = net()
    set_drop_path(model, 0.3)
    assert [block.drop_path for block in model.blocks] == pytest.approx([0, 0.15, 0.3])
    one = Residual(4)
    set_drop_path(one, 0.3)
    assert one.drop_path == 0


def test_average_follows_by_its_formula():
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average = Average(model, 0.5)
    nn.init.constant_(model.weight, 2.0)
    average.update(0)  # decay (1 + 0) / (10 + 0)
    assert float(average.model.weight) == pytest.approx(0.1 * 1 + 0.9 * 2)
    average.update(1000)
    assert float(average.model.weight) == pytest.approx(0.5 * 1.9 + 0.5 * 2)


# ------------------------------------------------------------------------------------------------ metrics


def tallied(logits: torch.Tensor, labels: torch.Tensor, batch: int = 3) -> Metrics:
    tally = Tally("cpu")
    for start in range(0, len(labels), batch):
        tally.add(logits[start : start + batch], labels[start : start + batch])
    return tally.metrics()


def test_a_perfect_network_scores_1_0_0():
    labels = torch.arange(12) % 5
    metrics = tallied(F.one_hot(labels, 5) * 200.0, labels)
    assert metrics == Metrics(1.0, 0.0, 0.0)


def test_metrics_by_hand():
    # Confidences 0.9 (right), 0.92 (wrong), 0.61 (right), 0.7 (wrong): bins 14, 14, 10 and 11 of 15.
    chances = torch.tensor([[0.9, 0.1], [0.08, 0.92], [0.61, 0.39], [0.3, 0.7]], dtype=torch.float64)
    metrics = tallied(chances.log(), torch.tensor([0, 0, 0, 0]))
    assert metrics.accuracy == 0.5
    assert metrics.ece == pytest.approx((abs(1 - 1.82) + abs(1 - 0.61) + abs(0 - 0.7)) / 4, abs=1e-6)
    assert metrics.nll == pytest.approx(float(-chances[:, 0].log().mean()), abs=1e-6)


def test_metrics_against_a_loop():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(500, 7, generator=generator) * 2
    labels = torch.randint(0, 7, (500,), generator=generator)
    confidence, answers = logits.softmax(1).max(1)
    ece = 0.0
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            right = (answers == labels)[inside].double().mean()
            ece += float(inside.double().mean() * (right - confidence[inside].double().mean()).abs())
    metrics = tallied(logits, labels, batch=64)
    assert metrics.ece == pytest.approx(ece, abs=1e-9)
    assert metrics.nll == pytest.approx(float(F.cross_entropy(logits, labels)), abs=1e-6)
    assert metrics.accuracy == pytest.approx(float((answers == labels).double().mean()))


def test_evaluate_does_not_depend_on_the_batch_and_restores_the_mode():
    model, data = net().train(), toy()
    whole, small = (evaluate(model, data.test, data, batch=batch) for batch in (512, 7))
    assert dataclasses.astuple(whole) == pytest.approx(dataclasses.astuple(small), abs=1e-6)
    assert model.training
