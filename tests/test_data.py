"""Data sets by name: Fashion-MNIST, splits and digests that stay the same, names that mean nothing, augmentation."""

import gzip
import hashlib
from pathlib import Path

import pytest
import torch

from archdsl.base.errors import DataError, UnknownNameError
from archdsl.data import DATASETS, load
from archdsl.data.augment import augment, normalise
from archdsl.data.dataset import Split, build, hold_out

FILES = Path(__file__).parents[1] / "archdsl" / "data" / "fashion_mnist"


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
