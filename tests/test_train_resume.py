"""A training that was killed or stopped goes on with the same bits, and only from its own checkpoint."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_networks import one_thread  # noqa: F401
from torch import nn
from toy_training import RECIPE, net, numbers, same, toy

from archdsl.base import checkpoint as checkpoints
from archdsl.base.errors import StudyError
from archdsl.training.loop import train

CHILD = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from archdsl.training.loop import train
from toy_training import RECIPE, net, toy

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
