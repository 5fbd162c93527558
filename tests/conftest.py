"""What all tests share: one thread (small networks only wait for each other on more), random numbers, and real images.

PyTorch begins each process with a seed of its own, so that what tests draw would be others every time.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

torch.set_num_threads(1)
SEED = 67_280_421_310_721  # that of no test or network: two that draw from one seed draw the same

# A shell that starts pytest in the background has it ignore Ctrl-C, and with it all commands that tests start and end so.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def _same_numbers_in_a_file() -> None:
    """What is made once for a file draws the same numbers, whichever files came before it in its process."""
    torch.manual_seed(SEED)


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    """A test draws the same numbers, whichever tests came before it in its process."""
    torch.manual_seed(SEED)


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz of 300 training and 100 test images of the embedded Fashion-MNIST."""
    from archdsl.data import load

    data = load("fashion")
    path = tmp_path_factory.mktemp("data") / "little.npz"
    np.savez(
        path,
        x_train=data.train.images[:300, 0].numpy(),
        y_train=data.train.labels[:300].numpy(),
        x_test=data.test.images[:100, 0].numpy(),
        y_test=data.test.labels[:100].numpy(),
    )
    return path


@pytest.fixture(scope="session")
def without_fault(little: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the search of `faulty_searches` comes to when nothing befalls it."""
    from faulty_searches import search

    results = search(tmp_path_factory.mktemp("whole") / "run", little)
    kinds = [(trial["kind"], trial["state"]) for trial in results["trials"]]
    assert ("trained", "stopped") in kinds  # so that something waits, and something goes on
    assert any(kind == "continued" for kind, _ in kinds)
    return results
