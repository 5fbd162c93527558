"""What all tests share: one thread (small networks only wait for each other on more), and a data set of real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


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
