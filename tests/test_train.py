"""Training: it learns, repeats itself to the bit, survives being killed, and fails with a message that helps."""

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from archdsl import checkpoint as checkpoints
from archdsl.data import Dataset, Split
from archdsl.data.dataset import build
from archdsl.errors import DataError, RunError, StudyError, UsageError
from archdsl.metrics import Metrics, Tally
from archdsl.optimizer import Average, adamw, learning_rate, set_drop_path
from archdsl.recipe import Recipe
from archdsl.training import Epoch, evaluate, pick_device, train

RECIPE = Recipe(epochs=4, batch=16, shift=1, precision="float32")


class Residual(nn.Module):
    """A residual unit with stochastic depth, as the compiled networks have."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.drop_path = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and self.drop_path:
            keep = torch.rand(x.shape[0], 1, 1, 1, device=x.device) >= self.drop_path
            return x + self.branch(x) * keep / (1 - self.drop_path)
        return x + self.branch(x)


class Net(nn.Module):
    """A tiny network with everything that has state: batch norm, dropout, a table."""

    def __init__(self, channels: int = 1, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 8, 3, padding=1)
        self.blocks = nn.Sequential(Residual(8), Residual(8), Residual(8))
        self.table = nn.Parameter(torch.zeros(1, 8, 1, 1))
        self.drop = nn.Dropout(0.1)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(self.stem(x)) + self.table
        return self.head(self.norm(self.drop(x.mean(dim=(2, 3)))))


def net(channels: int = 1, classes: int = 4) -> Net:
    torch.manual_seed(0)
    return Net(channels, classes)


def toy(train: int = 104, channels: int = 1) -> Dataset:
    """Images of noise in which the class is a bright row."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        labels = torch.arange(count) % 4
        images = torch.randint(0, 90, (count, channels, 8, 8), generator=generator)
        images[torch.arange(count), :, 2 * labels] += 120
        return Split(images.to(torch.uint8), labels)

    return build("toy", split(train), validation=split(40), test=split(40), classes=4, flip=True)


def same(a: nn.Module, b: nn.Module) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in a.state_dict().items())


def numbers(curve: tuple[Epoch, ...]) -> list[tuple[float, Metrics]]:
    """The part of a curve that must repeat."""
    return [(epoch.train_loss, epoch.metrics) for epoch in curve]


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks are slower on several threads, and the child process below counts on one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ------------------------------------------------------------------------------------------------ learning


def test_it_learns_and_leaves_a_network_that_scores_what_was_reported():
    model, data = net(), toy()
    result = train(model, data, Recipe(epochs=15, batch=16, lr=1e-2, shift=0, precision="float32"))
    assert result.metrics.accuracy > 0.9
    assert [epoch.number for epoch in result.curve] == list(range(1, 16))
    assert result.curve[-1].train_loss < result.curve[0].train_loss
    assert result.metrics == result.curve[-1].metrics == evaluate(model, data.validation, data)
    assert not model.training
    assert not result.stopped
    assert result.seconds > 0
    assert result.images_per_second > 0


@pytest.mark.parametrize("changes", [{"drop_path": 0.3}, {"ema": 0.9}, {"precision": "bf16"}, {"clip": 0.0}])
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(changes):
    recipe, data = RECIPE.model_copy(update={"epochs": 2, **changes}), toy()
    models = [net() for _ in range(3)]
    results = []
    for model, seed in zip(models, (1, 1, 2), strict=True):
        torch.manual_seed(len(results))  # the caller's state does not matter
        results.append(train(model, data, recipe, seed=seed))
    assert same(models[0], models[1])
    assert numbers(results[0].curve) == numbers(results[1].curve)
    assert not same(models[0], models[2])


def test_the_callers_random_state_stays():
    model = net()
    state = torch.get_rng_state()
    train(model, toy(), RECIPE.model_copy(update={"epochs": 1, "drop_path": 0.2}))
    assert torch.equal(state, torch.get_rng_state())


def test_ema_weights_are_those_that_are_left_and_scored():
    data = toy()
    raw, averaged = net(), net()
    train(raw, data, RECIPE)
    result = train(averaged, data, RECIPE.model_copy(update={"ema": 0.9}))
    assert not same(raw, averaged)
    assert evaluate(averaged, data.validation, data) == result.metrics
    assert int(averaged.blocks[0].branch[1].num_batches_tracked) == 4 * 6


def test_small_data_and_batches():
    data = toy(train=12)
    assert train(net(), data, RECIPE.model_copy(update={"batch": 500})).curve  # fewer images than a batch
    assert train(net(), toy(train=17), RECIPE).curve  # one image over: left out, batch norm needs two
    assert train(net(), data, RECIPE.model_copy(update={"batch": 1, "epochs": 1})).curve  # 8x8 values per channel
    narrow = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(1), nn.Linear(1, 4))
    with pytest.raises(RunError, match="single values") as caught:
        train(narrow, data, RECIPE.model_copy(update={"batch": 1}))
    assert "batch=2" in caught.value.help


def test_steps_are_reported_and_epochs_can_stop_it():
    steps, epochs = [], []

    def on_epoch(epoch: Epoch) -> bool:
        epochs.append(epoch.number)
        return epoch.number < 2

    result = train(net(), toy(), RECIPE, on_step=lambda done, total: steps.append((done, total)), on_epoch=on_epoch)
    assert steps == [(i + 1, 24) for i in range(12)]  # 104 images are 6 batches of 16
    assert epochs == [1, 2]
    assert result.stopped


def test_a_three_channel_network_keeps_its_weights_channels_last():
    model = net(channels=3)
    train(model, toy(channels=3), RECIPE.model_copy(update={"epochs": 1}))
    assert model.stem.weight.is_contiguous(memory_format=torch.channels_last)


class _Waits(TorchDispatchMode):
    """Counts the operations that make the processor wait for a GPU."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        names = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")
        self.count += any(name in str(func) for name in names)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9, "drop_path": 0.2}])
def test_nothing_waits_for_the_device_inside_an_epoch(changes):
    counts = []
    for batch in (52, 4):  # 2 steps and 26 steps per epoch
        with _Waits() as waits:
            train(net(), toy(), RECIPE.model_copy(update={"batch": batch, **changes}))
        counts.append(waits.count)
    assert counts[0] == counts[1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("changes", [{}, {"ema": 0.9, "drop_path": 0.2}, {"precision": "bf16"}])
def test_nothing_waits_on_a_real_gpu(changes):
    recipe = RECIPE.model_copy(update=changes)

    def on_step(done: int, total: int) -> None:
        torch.cuda.set_sync_debug_mode("default" if done % 6 == 0 else "error")

    try:
        result = train(net(), toy(), recipe, device="cuda", on_step=on_step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(result.curve) == 4


# ------------------------------------------------------------------------------------------------ resuming

CHILD = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from test_train import RECIPE, net, toy, train

def on_step(done, total):
    if done == 15:  # in the third of six-step epochs
        os.kill(os.getpid(), signal.SIGKILL)

train(net(), toy(), RECIPE.model_copy(update={"drop_path": 0.2, "ema": 0.9}), seed=5,
      checkpoint=Path(sys.argv[1]), on_step=on_step)
"""


def test_a_killed_training_ends_with_the_same_bits(tmp_path):
    path = tmp_path / "net.safetensors"
    killed = subprocess.run([sys.executable, "-c", CHILD, str(path)], cwd=Path(__file__).parent, check=False)
    assert killed.returncode == -signal.SIGKILL
    recipe = RECIPE.model_copy(update={"drop_path": 0.2, "ema": 0.9})
    resumed, whole = net(), net()
    steps: list[int] = []
    second = train(resumed, toy(), recipe, seed=5, checkpoint=path, on_step=lambda done, _: steps.append(done))
    first = train(whole, toy(), recipe, seed=5)
    assert steps[0] == 13
    assert same(resumed, whole)
    assert numbers(second.curve) == numbers(first.curve)


def test_a_stopped_training_goes_on_where_it_stopped(tmp_path):
    path, data = tmp_path / "net.safetensors", toy()
    resumed, whole = net(), net()
    stopped = train(resumed, data, RECIPE, checkpoint=path, on_epoch=lambda epoch: epoch.number < 2)
    assert stopped.stopped
    assert len(stopped.curve) == 2
    went_on = train(net_on := net(), data, RECIPE, checkpoint=path)
    assert numbers(went_on.curve) == numbers(train(whole, data, RECIPE).curve)
    assert same(net_on, whole)
    again = train(resumed, data, RECIPE, checkpoint=path)  # finished: nothing is left to do
    assert again.curve == went_on.curve
    assert same(resumed, whole)


def test_a_checkpoint_of_another_training_is_refused_and_kept(tmp_path):
    path, data = tmp_path / "net.safetensors", toy()
    train(net(), data, RECIPE, checkpoint=path, metadata={"spec": "a"})
    before = path.read_bytes()
    others = {
        r"epochs was 4, is 5": {"recipe": RECIPE.model_copy(update={"epochs": 5})},
        r"seed differs": {"seed": 1},
        r"spec differs": {"metadata": {"spec": "b"}},
        r"data differs": {"data": toy(train=100)},
        r"network differs": {"model": nn.Sequential(net(), nn.Identity())},
    }
    for message, changes in others.items():
        arguments = {"model": net(), "data": data, "recipe": RECIPE, "metadata": {"spec": "a"}, **changes}
        with pytest.raises(StudyError, match=message):
            train(**arguments, checkpoint=path)
    assert path.read_bytes() == before
    assert checkpoints.load_weights(path)[1]["spec"] == "a"


def test_a_broken_checkpoint_is_set_aside_and_training_starts_anew(tmp_path, caplog):
    path, data = tmp_path / "net.safetensors", toy()
    path.write_bytes(b"broken")
    result = train(net(), data, RECIPE, checkpoint=path)
    assert numbers(result.curve) == numbers(train(net(), data, RECIPE).curve)
    assert (tmp_path / "net.safetensors.corrupt").read_bytes() == b"broken"
    assert "starts anew" in caplog.text


# ------------------------------------------------------------------------------------------------ failing


def test_a_loss_that_is_not_finite_names_its_epoch(tmp_path):
    class Fails(Net):
        steps = 0

        def forward(self, x):
            self.steps += self.training
            return super().forward(x) * (float("nan") if self.steps == 15 else 1)

    torch.manual_seed(0)
    path = tmp_path / "net.safetensors"
    with pytest.raises(RunError, match="became NaN in epoch 3") as caught:
        train(Fails(), toy(), RECIPE, checkpoint=path)
    assert "lr=0.002" in caught.value.help
    assert len(train(net(), toy(), RECIPE, checkpoint=path).curve) == 4  # epoch 2 was kept


def test_out_of_memory_names_the_batch():
    class Greedy(Net):
        def forward(self, x):
            return super().forward(x) + torch.empty(1 << 50)[0] if self.training else super().forward(x)

    with pytest.raises(RunError, match="memory ran out with batch=16") as caught:
        train(Greedy(), toy(), RECIPE)
    assert "smaller batch" in caught.value.help


@pytest.mark.parametrize(
    ("model", "recipe", "message"),
    [
        (net(classes=7), RECIPE, "the network has 7 classes, the data set 'toy' 4 classes"),
        (net(channels=3), RECIPE, "does not take the images of 'toy', 1x8x8"),
        (nn.Sequential(nn.Flatten(), nn.Linear(49, 4)), RECIPE, "does not take the images"),
        (nn.Conv2d(1, 4, 3), RECIPE, r"an output of shape \(2, 4, 6, 6\)"),
        (net(), RECIPE.model_copy(update={"shift": 8}), "shift=8"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(model, recipe, message):
    with pytest.raises(DataError, match=message) as caught:
        train(model, toy(), recipe)
    assert caught.value.help


def test_devices():
    assert pick_device("cpu").type == "cpu"
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for text in ("cuda:99", "gpu", "cpu:0", "cuda:x", ""):
        with pytest.raises(UsageError) as caught:
            pick_device(text)
        assert caught.value.help


# ------------------------------------------------------------------------------------------------ the parts


def test_only_the_weights_of_layers_decay():
    model = net()
    model.embedding = nn.Embedding(3, 8)
    groups = adamw(model, RECIPE).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    decayed, others = ({names[id(p)] for p in group["params"]} for group in groups)
    assert (groups[0]["weight_decay"], groups[1]["weight_decay"]) == (0.05, 0)
    assert decayed == {"stem.weight", "head.weight", *(f"blocks.{i}.branch.0.weight" for i in range(3))}
    assert {"table", "norm.weight", "embedding.weight", "blocks.0.branch.1.weight", "head.bias"} <= others
    assert decayed | others == set(names.values())


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
