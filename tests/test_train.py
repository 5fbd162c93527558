"""Training: it learns, repeats itself to the bit, does not wait for the device, and fails with a message that helps."""

import pytest
import torch
from small_networks import one_thread  # noqa: F401
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from toy_training import RECIPE, Net, net, numbers, same, toy

from archdsl.base.errors import DataError, RunError, UsageError
from archdsl.ir.recipe import Recipe
from archdsl.training.loop import Epoch, evaluate, pick_device, train

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
