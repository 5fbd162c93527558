"""Image folders as data sets, and the sets of torchvision and timm in folders: what they give, and bad pictures."""

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archdsl.base.errors import DataError
from archdsl.data import load

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
