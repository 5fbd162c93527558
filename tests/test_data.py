"""Every kind of data set: what it gives, that it is stable, and that bad input is a DataError that says what to do."""

import gzip
import hashlib
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archdsl.data import DATASETS, load
from archdsl.data.augment import augment, normalise
from archdsl.data.dataset import Split, build, hold_out
from archdsl.errors import DataError, UnknownNameError

FILES = Path(__file__).parents[1] / "archdsl" / "data" / "fashion_mnist"


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


# ------------------------------------------------------------------------------------------------ fashion


def test_fashion_is_stratified_and_never_changes():
    data = load("fashion")
    assert (data.input, data.classes, data.flip) == ((1, 28, 28), 10, True)
    for split, each in ((data.train, 600), (data.validation, 200), (data.test, 200)):
        assert split.images.dtype == torch.uint8
        assert split.labels.dtype == torch.int64
        assert split.labels.bincount().tolist() == [each] * 10
    # Scores of different releases are comparable only while this holds.
    assert data.digest == "ad79c8d8b7ad935ebd784d2a8465ba08406590326614fe2917b529b8280c8061"


def test_fashion_uses_every_image_once():
    data = load("fashion")
    raw = gzip.decompress((FILES / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    expected = sorted(hashlib.sha256(raw[i * 784 : (i + 1) * 784]).digest() for i in range(10_000))
    splits = (data.train, data.validation, data.test)
    assert sorted(hashlib.sha256(i.numpy().tobytes()).digest() for s in splits for i in s.images) == expected


def test_fashion_carries_its_licence():
    assert (
        "The MIT License (MIT) Copyright © 2017 Zalando SE, https://tech.zalando.com" in (FILES / "LICENSE").read_text()
    )


def test_normalised_training_images_have_mean_0_and_deviation_1():
    data = load("fashion")
    images = normalise(data.train.images, data)
    assert images.dtype == torch.float32
    assert abs(float(images.mean())) < 1e-4
    assert float(images.std()) == pytest.approx(1, abs=1e-4)


def test_fashion_mnist_from_a_folder_zipped_or_not(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            content = (FILES / f"t10k-{kind}-ubyte.gz").read_bytes()
            if part == "t10k":
                (raw / f"{part}-{kind}-ubyte").write_bytes(gzip.decompress(content))
            else:
                (raw / f"{part}-{kind}-ubyte.gz").write_bytes(content)
    data = load("fashion-mnist", root=tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (9000, 1000, 10_000)
    broken = raw / "train-images-idx3-ubyte.gz"
    for content in (broken.read_bytes()[:1000], b"", b"\x1f\x8b junk", b"not an idx file"):
        broken.write_bytes(content)
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz' is (truncated|not an IDX)"):
            load("fashion-mnist", root=tmp_path)


# ------------------------------------------------------------------------------------------------ splitting


def test_hold_out_is_stratified_stable_and_loses_nothing():
    labels = torch.tensor([0] * 50 + [1] * 30 + [2] * 5 + [3])
    images = torch.arange(86, dtype=torch.uint8).view(86, 1, 1, 1)
    rest, part = hold_out(Split(images.clone(), labels), 0.1, "salt")
    assert part.labels.bincount(minlength=4).tolist() == [5, 3, 1, 0]  # at least one, but never a class's only image
    assert sorted(rest.images.flatten().tolist() + part.images.flatten().tolist()) == list(range(86))
    for split in (rest, part):
        assert labels[split.images.flatten().long()].tolist() == split.labels.tolist()
    again, _ = hold_out(Split(images.clone(), labels), 0.1, "salt")
    assert torch.equal(rest.images, again.images)


def test_digest_depends_on_content_not_on_memory_layout():
    def made(images: torch.Tensor) -> str:
        split = Split(images, torch.arange(8) % 2)
        return build("toy", split, validation=split, test=split, flip=True).digest

    images = torch.arange(8 * 3 * 4 * 4).view(8, 3, 4, 4).to(torch.uint8)
    assert made(images) == made(images.contiguous(memory_format=torch.channels_last))
    changed = images.clone()
    changed[5, 1, 2, 3] += 1
    assert made(images) != made(changed)


# ------------------------------------------------------------------------------------------------ npz


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


# ------------------------------------------------------------------------------------------------ image folders


def pictures(folder: Path, count: int = 4, mode: str = "RGB", size: tuple[int, int] = (8, 6)) -> Path:
    for label, name in enumerate(("cat", "dog", "emu")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.new(mode, size, (40 * i, 60 * label, 9) if mode == "RGB" else 40 * i).save(folder / name / f"{i}.png")
    return folder


def test_imagefolder_with_all_splits(tmp_path):
    for part in ("train", "val", "test"):
        pictures(tmp_path / part)
    data = load(f"imagefolder:{tmp_path}")
    assert (data.input, data.classes, data.flip) == ((3, 6, 8), 3, True)
    assert len(data.train) == len(data.validation) == len(data.test) == 12
    assert data.train.images[5, :, 0, 0].tolist() == [40, 60, 9]
    assert data.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize("where", [".", "train"])
def test_imagefolder_holds_out_what_is_absent(tmp_path, where):
    pictures(tmp_path / where, count=20)
    data = load(f"imagefolder:{tmp_path}")
    assert (len(data.train), len(data.validation), len(data.test)) == (48, 6, 6)


def test_grey_pictures_have_one_channel(tmp_path):
    data = load(f"imagefolder:{pictures(tmp_path, mode='L')}")
    assert (data.input, data.flip) == ((1, 6, 8), False)


def test_odd_sizes_are_fitted_to_the_common_one_or_the_named_one(tmp_path, caplog):
    pictures(tmp_path)
    Image.new("RGB", (100, 90), (255, 0, 0)).save(tmp_path / "cat" / "odd.png")
    assert load(f"imagefolder:{tmp_path}").input == (3, 6, 8)
    assert "1 pictures" in caplog.text
    assert load(f"imagefolder:{tmp_path}@5").input == (3, 5, 5)
    assert load(f"imagefolder:{tmp_path}@5x7").input == (3, 5, 7)
    for i in range(12):
        Image.new("RGB", (10 + i, 10)).save(tmp_path / "cat" / f"odd{i}.png")
    with pytest.raises(DataError, match="come in 14 sizes") as caught:
        load(f"imagefolder:{tmp_path}")
    assert f"imagefolder:{tmp_path}@64" in caught.value.help


def _png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no readable picture"),
        (b"text", "no readable picture"),
        ("half", "truncated or corrupt"),
        (_png_header(9_000, 9_000), "9000x9000 pixels, more than"),
        (_png_header(60_000, 60_000), "no readable picture.*bomb"),
        ("deep", "not 8 bits"),
    ],
)
def test_bad_pictures(tmp_path, content, message):
    bad = pictures(tmp_path) / "dog" / "bad.png"
    if content == "half":
        random = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(random).save(bad)
        content = bad.read_bytes()[:120]
    if content == "deep":
        Image.fromarray(np.zeros((6, 8), np.uint16)).save(bad)
    else:
        bad.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load(f"imagefolder:{tmp_path}")
    assert str(bad) in caught.value.message


def test_bad_folders(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        load(f"imagefolder:{tmp_path / 'none'}")
    with pytest.raises(DataError, match="0 class folders"):
        load(f"imagefolder:{tmp_path}")
    pictures(tmp_path / "test")
    with pytest.raises(DataError, match="but no train"):
        load(f"imagefolder:{tmp_path}")
    pictures(tmp_path / "train")
    (tmp_path / "test" / "fox").mkdir()
    with pytest.raises(DataError, match="train has not: fox"):
        load(f"imagefolder:{tmp_path}")
    (tmp_path / "train" / "fox").mkdir()
    with pytest.raises(DataError, match="fox' has no pictures"):
        load(f"imagefolder:{tmp_path}")


def test_a_folder_larger_than_memory_is_refused(tmp_path):
    with pytest.raises(DataError, match="GiB as 3x99999x99999 tensors"):
        load(f"imagefolder:{pictures(tmp_path)}@99999")


# ------------------------------------------------------------------------------------------------ torchvision and timm


def test_cifar_from_a_folder(tmp_path, monkeypatch):
    torchvision = pytest.importorskip("torchvision")
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        batch = {"data": random.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": [i % 10 for i in range(20)]}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    with pytest.raises(DataError, match="incomplete or corrupt"):  # other content than the published: never unpickled
        load("cifar10", root=tmp_path)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda *args: True)
    data = load("cifar10", root=tmp_path)
    assert (data.input, data.classes) == ((3, 32, 32), 10)
    assert (len(data.train), len(data.validation), len(data.test)) == (90, 10, 20)


@pytest.mark.parametrize(
    ("name", "inside"), [("cifar10", "cifar-10-batches-py"), ("fashion-mnist", "FashionMNIST/raw")]
)
def test_absent_public_sets_say_how_to_get_them(tmp_path, name, inside):
    for root in (None, tmp_path):
        with pytest.raises(DataError) as caught:
            load(name, root=root)
        assert inside in caught.value.help
        assert "--data-root" in caught.value.help
        assert "--download" in caught.value.help


def test_names_of_timm(tmp_path):
    pytest.importorskip("timm")
    for part in ("train", "validation"):
        pictures(tmp_path / part, count=10 if part == "train" else 8, size=(8, 6) if part == "train" else (9, 7))
    data = load("torch/image_folder", root=tmp_path)
    assert (data.input, len(data.train), len(data.validation), len(data.test)) == ((3, 6, 8), 27, 3, 24)
    with pytest.raises(DataError, match="same images"):  # timm takes the folder itself for both splits
        load("torch/image_folder", root=tmp_path / "train")
    with pytest.raises(DataError, match="nonsense"):
        load("torch/nonsense", root=tmp_path)
    with pytest.raises(DataError, match="Hugging Face") as caught:
        load("hfds/cifar10")
    assert "--download" in caught.value.help


# ------------------------------------------------------------------------------------------------ names


def test_every_kind_answers_without_a_place_with_a_data_error():
    assert {"fashion", "fashion-mnist", "cifar10", "cifar100", "npz", "imagefolder", "timm"} <= set(DATASETS)
    for kind in set(DATASETS) - {"fashion"}:
        with pytest.raises(DataError) as caught:
            load(kind)
        assert caught.value.help


def test_unknown_names(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'fashion'"):
        load("fasion")
    with pytest.raises(UnknownNameError, match="did you mean 'npz:"):
        load("cifar.npz")
    with pytest.raises(UnknownNameError, match="did you mean 'imagefolder:"):
        load(str(tmp_path))
    with pytest.raises(DataError, match="takes no path"):
        load("fashion:elsewhere")


# ------------------------------------------------------------------------------------------------ augmentation


def _slow(image: torch.Tensor, dy: int, dx: int, flip: bool) -> torch.Tensor:
    """Shift and flip of one image by pad, crop and mirror."""
    pad = max(abs(dy), abs(dx))
    out = image
    if pad:
        padded = torch.nn.functional.pad(image[None].float(), (pad,) * 4, mode="reflect")[0].to(image.dtype)
        H, W = image.shape[1:]
        out = padded[:, pad + dy : pad + dy + H, pad + dx : pad + dx + W]
    return out.flip(2) if flip else out


def test_augment_gives_one_of_the_possible_results_and_all_of_them():
    image = torch.randperm(126).view(3, 6, 7).to(torch.uint8)
    out = augment(image.expand(2000, 3, 6, 7), shift=2, flip=True, generator=torch.Generator().manual_seed(0))
    possible = {
        tuple(_slow(image, dy, dx, flip).flatten().tolist())
        for dy in range(-2, 3)
        for dx in range(-2, 3)
        for flip in (False, True)
    }
    assert len(possible) == 50
    assert {tuple(row) for row in out.flatten(1).tolist()} == possible


def test_augment_is_reproducible_and_leaves_the_global_state_alone():
    images = torch.randint(0, 256, (32, 1, 8, 8), dtype=torch.uint8)
    state = torch.get_rng_state()
    first, second = (augment(images, shift=2, flip=True, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(state, torch.get_rng_state())
    assert augment(images, shift=0, flip=False) is images
