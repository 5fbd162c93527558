"""Exports: what comes back from a file computes the same as the network, and what cannot be written is told."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import onnxruntime
import pytest
import torch
from exported_networks import MAPS, MEAN_OF_TOKENS, TINY, TOKENS, as_training_writes_it, images, network
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import archdsl
from archdsl.base.errors import RunError, UsageError
from archdsl.blocks import BLOCKS
from archdsl.blocks.base import Primitive
from archdsl.cli.main import run
from archdsl.interchange.export import FORMATS, export
from archdsl.network.model import Network

ALL = "safetensors,pt2,onnx,python"


class Exported(NamedTuple):
    """A network, the folder its exports lie in, and what the command said."""

    model: Network
    folder: Path
    document: dict[str, Any]


@pytest.fixture(scope="module", params=[MAPS, TOKENS, MEAN_OF_TOKENS], ids=["maps", "tokens", "mean_of_tokens"])
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Weights in a checkpoint as of a training, through the command line."""
    folder, model = tmp_path_factory.mktemp("exports"), network(request.param)
    file = as_training_writes_it(model, folder / "trained.safetensors")
    arguments = ["compile", str(file), "--export", ALL, "--out", str(folder / "out"), "--json"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run(arguments) == 0
    return Exported(model, folder / "out", json.loads(said.getvalue()))


# ---- every block, out and back -------------------------------------------------------------------------------


def test_these_networks_have_blocks_of_every_kind() -> None:
    texts = (MAPS, TOKENS, MEAN_OF_TOKENS)
    used = {p.kind_name for text in texts for b in network(text).architecture.blocks() for p in b.tree.primitives()}
    all_kinds = {name for name in BLOCKS if issubclass(BLOCKS[name], Primitive)}
    assert all_kinds - used == {"timm"}  # for which there is a test of its own


def test_what_the_command_says(out: Exported) -> None:
    name = out.model.architecture.name
    files = {format: str(out.folder / f"{name}{FORMATS[format].suffix}") for format in ALL.split(",")}
    assert out.document["exports"] == files
    assert {k: v for k, v in out.document.items() if k != "exports"} == out.model.architecture.table()
    assert sorted(p.name for p in out.folder.iterdir()) == sorted(
        f"{name}{suffix}" for suffix in (".arch", ".json", ".safetensors", ".pt2", ".onnx", ".py")
    )


def test_safetensors(out: Exported) -> None:
    path = Path(out.document["exports"]["safetensors"])
    again = archdsl.load(path)
    assert not again.training
    assert again.architecture.hash == out.model.architecture.hash
    x = images(out.model, 3)
    assert torch.equal(again(x), out.model(x))
    assert load_file(path).keys() == out.model.state_dict().keys()
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert archdsl.hash(metadata["archdsl.spec"]) == metadata["archdsl.hash"] == out.model.architecture.hash
    assert (metadata["archdsl.version"], metadata["archdsl.torch"]) == (archdsl.__version__, torch.__version__)


def test_pt2(out: Exported) -> None:
    told = {"archdsl.hash": "", "archdsl.spec": ""}
    graph = torch.export.load(out.document["exports"]["pt2"], extra_files=told).module()
    assert told["archdsl.hash"] == archdsl.hash(told["archdsl.spec"]) == out.model.architecture.hash
    for count in (1, 2, 5, 16):
        x = images(out.model, count)
        torch.testing.assert_close(graph(x), out.model(x), rtol=0, atol=1e-6)


def test_onnx(out: Exported) -> None:
    path = out.document["exports"]["onnx"]
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path)
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    a = out.model.architecture
    assert (given.name, given.shape) == ("images", ["batch", *a.input])
    assert (result.name, result.shape) == ("logits", ["batch", a.classes])
    assert session.get_modelmeta().custom_metadata_map["archdsl.hash"] == a.hash
    for count in (1, 2, 5):
        x = images(out.model, count)
        logits = torch.from_numpy(session.run(None, {"images": x.numpy()})[0])
        torch.testing.assert_close(logits, out.model(x), rtol=0, atol=1e-4)


def test_nothing_of_this_machine_is_in_the_files(out: Exported) -> None:
    for path in out.document["exports"].values():
        data = Path(path).read_bytes()
        assert str(Path(archdsl.__file__).parent).encode() not in data
        assert str(out.folder).encode() not in data


def test_exports_are_reproducible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.arch").write_text(TINY)

    def files(name: str, *options: str, formats: str = ALL) -> dict[str, bytes]:
        command = ["compile", str(tmp_path / "tiny.arch"), "--export", formats, "--out", str(tmp_path / name)]
        assert run([*command, *options]) == 0
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    state = torch.random.get_rng_state()
    first = files("a")
    assert torch.equal(torch.random.get_rng_state(), state)
    said = capsys.readouterr().out
    assert f"onnx: {tmp_path / 'a' / 'tiny.onnx'} (" in said
    assert f"python: {tmp_path / 'a' / 'tiny.py'} (" in said
    torch.manual_seed(123)
    assert files("b", "--seed", "0") == first
    other = files("c", "--seed", "1", formats="safetensors,python")
    assert {name for name in other if first[name] != other[name]} == {"tiny.safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alternet_18", "alternet_50", "preresnet_18", "resnet_18", "resnet_50", "vit_ti"])
def test_shipped_specs(name: str, tmp_path: Path) -> None:
    model = network(name)
    files = export(model, ["pt2", "onnx"], tmp_path)
    session = onnxruntime.InferenceSession(files["onnx"])
    graph = torch.export.load(files["pt2"]).module()
    for count in (1, 3):
        x = images(model, count)
        expected = model(x).detach()
        torch.testing.assert_close(graph(x).detach(), expected, rtol=1e-5, atol=1e-5)
        logits = torch.from_numpy(session.run(None, {"images": x.numpy()})[0])
        assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()


# ---- what cannot be written ----------------------------------------------------------------------------------


@pytest.fixture
def odd_blocks() -> Iterator[None]:
    """Blocks of a user's own: an operator that ONNX lacks, a step that depends on values, one that counts images."""

    class Eigenvalues(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.linalg.eigvalsh(x @ x.transpose(-1, -2)).unsqueeze(-1)

    class Moody(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    class OneByOne(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x[index] * 2 for index in range(x.shape[0])])

    names = {"eigenvalues": Eigenvalues, "moody": Moody, "one_by_one": OneByOne}
    for name, module in names.items():
        BLOCKS.register(name)(type(name, (Primitive,), {"build": lambda self, x, module=module: module()}))
    yield
    for name in names:
        BLOCKS._entries.pop(name)


@pytest.mark.usefixtures("odd_blocks")
@pytest.mark.parametrize(
    ("block", "format", "message"),
    [
        ("eigenvalues", "onnx", "cannot be written as onnx: ONNX has no operator for 'aten._linalg_eigh'"),
        ("moody", "pt2", "cannot be written as pt2: what it does depends on the values that flow through it"),
        ("one_by_one", "pt2", "cannot be written as pt2: what it does depends on the number of images in a batch"),
        (
            "eigenvalues",
            "python",
            "cannot be written as python: it builds its module itself, and says no call that makes it",
        ),
    ],
)
def test_blocks_that_cannot_be_written(
    block: str, format: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.arch").write_text(f"model odd input 1x8x8 stem conv(4) stage(4)[conv sum[{block} conv] C]")
    code = run(["compile", str(tmp_path / "odd.arch"), "--export", format, "--out", str(tmp_path / "out")])
    said = capfd.readouterr()
    assert code == 3
    assert said.err.startswith(f"error: the block 'sum' at stage1.block2 {message}"), said.err
    assert len(said.err.splitlines()) == 2, "nothing of the exporters' own"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["odd.arch", "odd.json"]


@pytest.mark.usefixtures("odd_blocks")
def test_any_block_goes_into_safetensors(tmp_path: Path) -> None:
    model = network("input 1x8x8 stage(4)[C eigenvalues]")
    x = images(model, 2)
    assert torch.equal(archdsl.load(export(model, ["safetensors"], tmp_path)["safetensors"])(x), model(x))


def test_a_model_of_timm(tmp_path: Path) -> None:
    model = network("model body\ninput 3x32x32\nclasses 3\nstem timm(resnet10t, out=2)\nstage(8)[C]\nhead gap linear")
    files = export(model, ["safetensors", "pt2"], tmp_path)
    x = images(model, 3)
    assert torch.equal(archdsl.load(files["safetensors"])(x), model(x))
    torch.testing.assert_close(torch.export.load(files["pt2"]).module()(x), model(x), rtol=0, atol=1e-5)
    with pytest.raises(RunError, match=r"the block 'timm' at stem\.timm cannot be written as python: .* needs 'timm'"):
        export(model, ["python"], tmp_path)


def test_unknown_formats(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["compile", "resnet_18", "--export", "onxx", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "error: unknown export 'onxx'\n  = help: did you mean 'onnx'?\n"
    assert run(["compile", "resnet_18", "--export", "tflite"]) == 2
    assert "there are: onnx, pt2, python, safetensors" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError):
        export(network(TINY), ["tflite"], tmp_path)


@pytest.mark.parametrize("formats", ["", " ", ","])
def test_a_list_of_no_formats(formats: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["compile", "resnet_18", "--export", formats, "--out", str(tmp_path / "out")]) == 2
    assert "error: --export names no format" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda n: n.head.__setattr__("linear", nn.Linear(4, 7)),
            "'head.linear.weight' was added, taken away or given",
        ),
        (lambda n: n.head.__setattr__("linear", nn.Identity()), "'head.linear.weight' was added, taken away or given"),
        (lambda n: n.head.append(nn.Linear(3, 3)), "no longer the network of its spec"),
        (lambda n: n.half(), "is float16 on cpu"),
        (lambda n: n.to("meta"), "is on the meta device"),
    ],
)
def test_a_network_that_is_not_that_of_its_spec(change: Any, message: str, tmp_path: Path) -> None:
    changed = network(TINY)
    change(changed)
    with pytest.raises(UsageError, match=re.escape(message)):
        export(changed, ["safetensors", "python"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="export takes a compiled spec, not a Linear"):
        export(nn.Linear(3, 3), ["safetensors"], tmp_path / "out")  # type: ignore[arg-type]


def test_without_the_packages_of_onnx(tmp_path: Path) -> None:
    (tmp_path / "tiny.arch").write_text(TINY)
    code = "import sys; sys.modules['onnxscript'] = None; from archdsl.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "compile", "tiny.arch", "--export", "safetensors,onnx"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr == "error: writing ONNX needs onnxscript\n  = help: pip install 'archdsl[onnx]'\n"
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.arch"]
