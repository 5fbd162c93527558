"""Loading exported and trained networks: what comes back, and files that were changed, broken or are of another kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from exported_networks import TINY, images, network
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import archdsl
from archdsl import ir
from archdsl.api.train import restore, train
from archdsl.base.errors import SpecError, StudyError
from archdsl.cli.main import run
from archdsl.interchange.export import export


def test_load_a_training(little: Path, tmp_path: Path) -> None:
    """The moving average, where there is one, as evaluation takes it; and what is exported of it loads, too."""
    path = tmp_path / "net.safetensors"
    text = "model tiny input 1x28x28 stage(4)[C] train(epochs=1, batch=100, ema=0.5)"
    train(text, data=f"npz:{little}", out=path, device="cpu")
    model = archdsl.load(path)
    assert not model.training
    assert any(name.startswith("ema.") for name in load_file(path))
    x = images(model, 4)
    expected = restore(path, "cpu")[0](x)
    assert torch.equal(model(x), expected)
    assert torch.equal(model.stem.conv.weight, load_file(path)["ema.stem.conv.weight"])
    assert run(["compile", str(path), "--export", "safetensors", "--out", str(tmp_path / "out")]) == 0
    again = tmp_path / "out/tiny.safetensors"
    assert torch.equal(archdsl.load(str(again))(x), expected)
    assert torch.equal(restore(again, "cpu")[0](x), expected)  # as `archdsl analyze` takes it


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return export(network(TINY), ["safetensors"], tmp_path)["safetensors"]


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, str]], None]) -> None:
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def _missing(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    del tensors["stage1.block1.norm.weight"], tensors["stage1.block1.norm2.bias"]


def _surplus(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["stage9.weight"] = torch.zeros(1)


def _shape(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["head.linear.weight"] = torch.zeros(3, 5)


def _kind(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["head.linear.weight"] = tensors["head.linear.weight"].view(torch.int32)


def _one_number(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    tensors["head.linear.weight"][1, 2] += 1e-6


def _no_digest(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    del metadata["archdsl.weights"]


def _other_spec(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["archdsl.spec"] = metadata["archdsl.spec"].replace("classes 3", "classes 4")


def _no_hash(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    del metadata["archdsl.hash"]


def _no_spec(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    del metadata["archdsl.spec"]


def _language(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["archdsl.language"] = str(ir.LANGUAGE_VERSION + 1)
    metadata["archdsl.version"] = "9.0"


def _format(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    metadata["archdsl.format"] = "77"


@pytest.mark.parametrize(
    ("change", "message", "help"),
    [
        (_missing, "'stage1.block1.norm.weight' is missing", "anew"),
        (_surplus, "'stage9.weight' belongs to no block", "anew"),
        (_shape, "'head.linear.weight' is 3x5, not 3x4", "anew"),
        (_kind, "'head.linear.weight' holds int32, not float32", "anew"),
        (_one_number, "was changed after it was written: its numbers are not those that were noted", "anew"),
        (_no_digest, "was changed after it was written", "anew"),
        (_other_spec, "was changed after it was written: its spec has the hash", "anew"),
        (_no_hash, "was changed after it was written", "anew"),
        (_no_spec, "was not written by archdsl: it holds no spec", "archdsl train"),
        (_language, f"of version {ir.LANGUAGE_VERSION + 1} of the language, this archdsl reads", "archdsl 9.0"),
        (_format, "has the format 77, this archdsl reads 1", f"archdsl {archdsl.__version__}"),
    ],
)
def test_files_that_were_changed(written: Path, change: Any, message: str, help: str) -> None:
    rewrite(written, change)
    with pytest.raises(StudyError) as caught:
        archdsl.load(written)
    assert message in caught.value.message
    assert written.name in caught.value.message
    assert help in (caught.value.help or "")
    assert run(["compile", str(written)]) == 1


def test_a_small_file_does_not_fill_the_memory(written: Path) -> None:
    def huge(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
        text = metadata["archdsl.spec"].replace("stage(4)", "stage(4000)")
        metadata.update({"archdsl.spec": text, "archdsl.hash": archdsl.hash(text)})

    rewrite(written, huge)
    with pytest.raises(StudyError, match=r"there are [0-9,]+ numbers for [0-9,]+ parameters"):
        archdsl.load(written)


def test_a_spec_that_does_not_parse(written: Path) -> None:
    rewrite(written, lambda tensors, metadata: metadata.update({"archdsl.spec": "stage(4)[Z]"}))
    with pytest.raises(SpecError, match="unknown block 'Z'"):
        archdsl.load(written)


def test_broken_and_absent_files(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    pickled = tmp_path / "pickled.safetensors"
    torch.save({"weight": torch.zeros(3)}, pickled)
    for content in (data[:-10], data[:20], b"", pickled.read_bytes()):
        written.write_bytes(content)
        with pytest.raises(StudyError, match="truncated or corrupt"):
            archdsl.load(written)
    with pytest.raises(StudyError, match="there is no checkpoint"):
        archdsl.load(tmp_path / "absent.safetensors")


@pytest.mark.parametrize(("suffix", "reader"), [(".arch", "archdsl.compile"), (".pt2", "torch.export.load")])
def test_files_that_something_else_reads(suffix: str, reader: str, tmp_path: Path) -> None:
    path = tmp_path / f"tiny{suffix}"
    path.write_text(TINY)
    with pytest.raises(StudyError, match="is no safetensors file") as caught:
        archdsl.load(path)
    assert reader in (caught.value.help or "")
