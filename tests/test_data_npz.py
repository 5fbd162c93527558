"""`.npz` archives as data sets: layouts of their arrays, and archives that are wrong or broken."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from archdsl.base.errors import DataError
from archdsl.data import load


def arrays(count: int = 40, shape: tuple[int, ...] = (8, 8, 3), classes: int = 4) -> dict[str, np.ndarray]:
    """A Keras-style data set of random images."""
    random = np.random.default_rng(0)
    out = {}
    for part, n in (("train", count), ("test", count // 2)):
        out[f"x_{part}"] = random.integers(0, 256, (n, *shape), dtype=np.uint8)
        out[f"y_{part}"] = (np.arange(n) % classes).astype(np.uint8)
    return out


def save(path: Path, **changes: np.ndarray | None) -> str:
    """Writes the random data set with some arrays changed, or left out; returns the data set's name."""
    held = {k: v for k, v in {**arrays(), **changes}.items() if v is not None}
    np.savez(path / "set.npz", **held)
    return f"npz:{path / 'set.npz'}"


@pytest.mark.parametrize(
    ("shape", "expected", "flip"),
    [
        ((8, 6), (1, 8, 6), False),
        ((8, 6, 1), (1, 8, 6), False),
        ((8, 6, 3), (3, 8, 6), True),
        ((3, 8, 6), (3, 8, 6), True),
    ],
)
def test_npz_layouts(tmp_path, shape, expected, flip):
    data = load(save(tmp_path, **arrays(shape=shape)))
    assert (data.input, data.classes, data.flip) == (expected, 4, flip)
    assert (len(data.train), len(data.validation), len(data.test)) == (36, 4, 20)
    assert torch.equal(data.test.images.flatten(1).sort(1).values, _sorted_pixels(arrays(shape=shape)["x_test"]))


def _sorted_pixels(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).flatten(1).sort(1).values


def test_npz_channels_last_becomes_channels_first(tmp_path):
    data = load(save(tmp_path))
    assert torch.equal(data.test.images, torch.from_numpy(arrays()["x_test"]).permute(0, 3, 1, 2))


def test_npz_labels_in_a_column_and_flip_by_the_archive(tmp_path):
    column = arrays()["y_train"].astype(np.int64)[:, None]
    data = load(save(tmp_path, y_train=column, flip=np.array(0)))
    assert data.flip is False
    assert data.digest != load(save(tmp_path, y_train=column)).digest


def test_relative_paths_start_at_the_root(tmp_path):
    save(tmp_path)
    assert load("npz:set.npz", root=tmp_path).classes == 4


X, Y = arrays()["x_train"], arrays()["y_train"].astype(np.int64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None, "y_test": None}, "has no x_test and no y_test"),
        ({"x_train": X.astype(np.float32)}, "'x_train' .* is float32, not uint8"),
        ({"x_train": X[:, 0, 0]}, "has shape 40x3"),
        ({"x_train": X[..., :2]}, "has shape 40x8x8x2"),
        ({"x_train": X[:, :0]}, "has shape 40x0x8x3"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "'x_train' .* has no images"),
        ({"x_train": X[:, :4]}, "test images .* are 3x8x8, its training images 3x4x8"),
        ({"x_train": X.astype(object)}, "'x_train' .* is corrupt or not a plain array"),
        ({"y_train": Y[:30]}, "30 labels for 40 images"),
        ({"y_train": Y.astype(np.float32)}, "'y_train' .* is float32"),
        ({"y_train": np.eye(4, dtype=np.int64)[Y]}, "not one-hot"),
        ({"y_train": Y - 1}, r"lies in -1\.\.2"),
        ({"y_train": Y + 1}, r"training labels .* lie in 1\.\.4"),
        ({"y_train": Y * 100}, r"training labels .* lie in 0\.\.300"),
        ({"y_train": Y + 10**12}, "lies in 10000"),
        ({"y_test": arrays()["y_test"] + 3}, r"test labels .* lie in 3\.\.6"),
        ({"y_train": np.zeros(40, np.uint64) + np.uint64(2**63)}, "lies in 9223372036854775808"),
    ],
)
def test_bad_npz(tmp_path, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        load(save(tmp_path, **changes))
    assert "set.npz" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"junk", "half", "flipped", "npy", "pickle"])
def test_broken_npz_files(tmp_path, content):
    name = save(tmp_path)
    path = tmp_path / "set.npz"
    whole = path.read_bytes()
    if content == "half":
        content = whole[: len(whole) // 2]
    elif content == "flipped":
        middle = whole.index(b"x_train.npy") + 400
        content = whole[:middle] + bytes(64) + whole[middle + 64 :]
    elif content == "npy":
        np.save(tmp_path / "plain.npy", X)
        content = (tmp_path / "plain.npy").read_bytes()
    elif content == "pickle":
        content = pickle.dumps({"x_train": 1})
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"set\.npz"):
        load(name)


def test_absent_npz(tmp_path):
    with pytest.raises(DataError, match="there is no file") as caught:
        load(f"npz:{tmp_path / 'none.npz'}")
    assert "numpy.savez" in caught.value.help
