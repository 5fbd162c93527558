"""The Python export: a file that runs without archdsl, computes the same to the last bit, and is pleasant to read."""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from exported_networks import MAPS, MEAN_OF_TOKENS, TOKENS, as_training_writes_it, images, network
from safetensors.torch import load_file, save_file
from torch import nn

import archdsl
from archdsl.api.compile import compile
from archdsl.base import resources
from archdsl.base.errors import RunError
from archdsl.blocks import BLOCKS, layers
from archdsl.blocks.base import Primitive
from archdsl.blocks.calls import Call
from archdsl.cli.main import run
from archdsl.interchange.export.expressions import expression, flat
from archdsl.interchange.export.python_source import source
from archdsl.interchange.export.sources import Sources, Unwritable
from archdsl.network.model import initialise

TEXTS = {"maps": MAPS, "tokens": TOKENS, "mean_of_tokens": MEAN_OF_TOKENS}


def executed(text: str, folder: Path) -> tuple[ModuleType, type[nn.Module]]:
    """A generated file as a module, and the network's class in it, which is the last."""
    path = folder / "generated.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("generated", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == "generated"][-1]


def test_it_runs_without_archdsl(tmp_path: Path) -> None:
    """By the real command, weights and all, in a process in which archdsl cannot be imported."""
    models = {name: network(text) for name, text in TEXTS.items()}
    for name, model in models.items():
        checkpoint = str(as_training_writes_it(model, tmp_path / f"trained_{name}.safetensors"))
        arguments = ["compile", checkpoint, "--export", "safetensors,python", "--out", str(tmp_path)]
        if name == "maps":
            command = [sys.executable, "-m", "archdsl", *arguments[:-2], "--json"]
            done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["exports"] == {"safetensors": "maps.safetensors", "python": "maps.py"}
        else:
            assert run(arguments) == 0
        save_file({"images": images(model, 3)}, tmp_path / f"{name}.images")
    code = (
        "import importlib, sys\n"
        "for name in ('archdsl', 'timm', 'torchvision', 'lark', 'pydantic'):\n"
        "    sys.modules[name] = None\n"
        "import torch\n"
        f"torch.set_num_threads({torch.get_num_threads()})\n"  # sums are split among them
        "from safetensors.torch import load_file, save_file\n"
        "for name, title in {'maps': 'Maps', 'tokens': 'Tokens', 'mean_of_tokens': 'MeanOfTokens'}.items():\n"
        "    model = getattr(importlib.import_module(name), title)().eval()\n"
        "    model.load_state_dict(load_file(f'{name}.safetensors'))\n"
        "    with torch.no_grad():\n"
        "        save_file({'logits': model(load_file(f'{name}.images')['images'])}, f'{name}.logits')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        for name, model in models.items():
            assert torch.equal(load_file(tmp_path / f"{name}.logits")["logits"], model(images(model, 3)))


def _check(text: str, folder: Path) -> None:
    path = folder / "checked.py"
    path.write_text(text, encoding="utf-8")
    for arguments in (["format", "--check"], ["format", "--check", "--line-length", "120"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", str(path)], capture_output=True, text=True
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"


SHIPPED = [name for name in resources.shipped_specs() if name != "placement"]
QUICK = ("alternet_18", "vit_ti")


@pytest.mark.parametrize(
    "name", [*TEXTS, *(pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in SHIPPED)]
)
def test_sources(name: str, tmp_path: Path) -> None:
    """Formatted as ruff would, and the same names and shapes of the state, in the same order."""
    with torch.device("meta"):
        model = compile(TEXTS.get(name, name))
    text = source(model.architecture)
    _check(text, tmp_path)
    assert str(Path(archdsl.__file__).parent) not in text
    with torch.device("meta"):
        module, kind = executed(text, tmp_path)
        again = kind()
    assert "archdsl" not in {getattr(value, "__module__", "").partition(".")[0] for value in vars(module).values()}
    assert list(again.state_dict()) == list(model.state_dict())
    for key, tensor in again.state_dict().items():
        assert tensor.shape == model.state_dict()[key].shape, key


def test_training_is_the_same(tmp_path: Path) -> None:
    """Fresh weights are drawn by the same rule, and gradients are equal to the last bit."""
    for text in TEXTS.values():
        model = network(text)
        module, kind = executed(source(model.architecture), tmp_path)
        again = kind()
        assert not any(m.bias.any() for m in again.modules() if isinstance(m, nn.Conv2d) and m.bias is not None)
        again.load_state_dict(model.state_dict())
        for one, drawn in ((model, initialise), (again, module.initialise)):
            torch.manual_seed(5)
            drawn(one)
        for key, tensor in model.state_dict().items():
            assert torch.equal(again.state_dict()[key], tensor), key
        x = images(model, 4)
        losses = []
        for one in (model, again):
            torch.manual_seed(6)  # of the dropout
            loss = one.train()(x).square().mean()
            loss.backward()
            losses.append(loss.item())
        assert losses[0] == losses[1]
        for (key, one), other in zip(model.named_parameters(), again.parameters(), strict=True):
            assert torch.equal(one.grad, other.grad), key


def test_the_header_holds_the_spec() -> None:
    architecture = compile(MAPS).architecture
    text = source(architecture)
    spec = "".join(f"{row[6:]}\n" for row in re.findall(r"^#     .*$", text, re.M))
    assert archdsl.hash(spec) == architecture.hash
    assert f"# Hash: {architecture.hash}" in text
    assert 'load_file("maps.safetensors")' in text


def test_repeated_blocks_are_written_once() -> None:
    vit = source(compile("stem patch(32, k=4) cls pos\nstage(32)[T*12]\nhead norm(ln) cls linear").architecture)
    assert '*((f"block{i}", transformer_block()) for i in range(1, 13))' in vit
    deep = source(compile("stage(8)[C*200]\nstage(16)[C*200]").architecture)
    assert len(deep.splitlines()) < 220  # of 400 blocks
    assert len(re.findall(r"^def basic_block", deep, re.M)) == 2  # with and without a projection
    assert re.search(r"^def basic_block2?\(\w+: int\) -> nn\.Module:$", deep, re.M)


@pytest.mark.parametrize("name", ["residual", "Residual", "nn", "tensor", "none", "_", "_2x", "a__b", "sequential"])
def test_names_that_are_taken(name: str, tmp_path: Path) -> None:
    model = network(f"model {name}\ninput 1x8x8\nblock initialise = conv(4) norm\nstage(4)[C*3 initialise C]")
    text = source(model.architecture)
    _check(text, tmp_path)
    again = executed(text, tmp_path)[1]()
    again.load_state_dict(model.state_dict())
    x = images(model, 2)
    assert torch.equal(again.eval()(x), model(x))


def test_long_names(tmp_path: Path) -> None:
    name = "a_rather_long_name_that_somebody_found_necessary_to_have" * 3
    block = f"block {name}(k=3, w=4, g=1) = residual[conv(in*w, k=k) norm(gn, groups=g) conv(in, k=k)] conv(in)"
    calls = f"{name}*3 {name}(k=5) {name}(w=2, g=2) {name}(k=7, w=3, g=4)"
    model = network(f"model {name}\n{block}\nblock other_{name} = conv(in) norm\nstage(8)[{calls} other_{name}]")
    text = source(model.architecture)
    _check(text, tmp_path)
    again = executed(text, tmp_path)[1]()
    assert list(again.state_dict()) == list(model.state_dict())


def test_comments_of_a_spec_are_comments(tmp_path: Path) -> None:
    odd = '"""\\ # fmt: off \t ruff: noqa é \u2028 end'
    text = source(compile(f"# {odd}\nblock b(k=3) = conv(4, k=k) norm\nstage(4)[b b(k=5)]").architecture)
    _check(text, tmp_path)
    executed(text, tmp_path)


# ---- modules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "written"),
    [
        (Call("torch.nn:Conv2d", 3, 8, 3), "nn.Conv2d(3, 8, 3)"),
        (Call("torch.nn:Conv2d", 4, 8, (1, 3), (2, 1), (0, 1), groups=2, bias=False),
         "nn.Conv2d(4, 8, (1, 3), stride=(2, 1), padding=(0, 1), groups=2, bias=False)"),
        (Call("torch.nn:Conv2d", 3, 8, 3, padding="same", padding_mode="reflect"),
         'nn.Conv2d(3, 8, 3, padding="same", padding_mode="reflect")'),
        (Call("torch.nn:LayerNorm", 8), "nn.LayerNorm(8)"),
        (Call("torch.nn:LayerNorm", (4, 4), eps=1e-3), "nn.LayerNorm((4, 4), eps=0.001)"),
        (Call("torch.nn:BatchNorm2d", 8, momentum=None), "nn.BatchNorm2d(8, momentum=None)"),
        (Call("torch.nn:GroupNorm", 2, 8), "nn.GroupNorm(2, 8)"),
        (Call("torch.nn:GELU", "tanh"), 'nn.GELU(approximate="tanh")'),
        (Call("torch.nn:PReLU", 4), "nn.PReLU(num_parameters=4)"),
        (Call("torch.nn:MaxPool2d", 3, 2, ceil_mode=True), "nn.MaxPool2d(3, stride=2, ceil_mode=True)"),
        (Call("torch.nn:Threshold", 0.5, float("-inf")), 'nn.Threshold(0.5, float("-inf"))'),
        (Call("torch.nn:Sequential", Call("torch.nn:ReLU", inplace=True), Call("torch.nn:Flatten")),
         "nn.Sequential(nn.ReLU(inplace=True), nn.Flatten())"),
    ],
    ids=str,
)  # fmt: skip
def test_calls_of_pytorch(call: Call, written: str) -> None:
    found = flat(expression(call, Sources()))
    assert found == written
    again, module = eval(found, {"nn": nn}), call.make()
    assert repr(again) == repr(module)
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in module.state_dict().items()}


def test_calls_that_cannot_be_written() -> None:
    built = Call(nn.ReLU)
    for call in (built, Call("torch.nn:Sequential", built)):
        with pytest.raises(Unwritable, match="it builds its module itself"):
            expression(call, Sources())
    with pytest.raises(Unwritable, match="an argument 'in_features' of the type 'complex' cannot be written"):
        expression(Call("torch.nn:Linear", 1j, 3), Sources())


def _layer_classes() -> list[type[nn.Module]]:
    """The modules of `archdsl.blocks.layers`."""
    found: list[type[nn.Module]] = []
    for info in pkgutil.iter_modules(layers.__path__, f"{layers.__name__}."):
        values = vars(importlib.import_module(info.name)).values()
        found += [c for c in values if isinstance(c, type) and c.__module__ == info.name and issubclass(c, nn.Module)]
    return found


def test_the_layers_go_together_into_one_file() -> None:
    sources = Sources()
    for kind in _layer_classes():
        if kind.__name__ == "TimmFeatures":
            with pytest.raises(Unwritable, match="needs 'timm'"):
                Sources().need(kind.__name__, kind.__module__)
        else:
            sources.need(kind.__name__, kind.__module__)
    sources.need("initialise", initialise.__module__)
    assert {"Residual", "GridAttention", "drop_path"} <= sources.texts.keys()
    assert all(sources.texts.values())


@pytest.fixture
def blocks() -> Iterator[None]:
    """A user's blocks: one that says its call, of PyTorch's modules alone, and one that builds its module itself."""

    class Own(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    def plain(self: Any, x: Any) -> Call:
        conv = Call("torch.nn:Conv2d", x.channels, x.channels, (1, 3), padding=(0, 1))
        return Call("torch.nn:Sequential", conv, Call("torch.nn:Tanh"))

    def own(self: Any, x: Any) -> nn.Module:
        return nn.Sequential(nn.Tanh(), nn.Sequential(Own()))

    BLOCKS.register("plain")(type("Plain", (Primitive,), {"call": plain, "params": lambda self, x: 3 * x.channels**2}))
    BLOCKS.register("own")(type("OwnBlock", (Primitive,), {"build": own}))
    yield
    for name in ("plain", "own"):
        BLOCKS._entries.pop(name)


@pytest.mark.usefixtures("blocks")
def test_blocks_of_a_user(tmp_path: Path) -> None:
    model = network("input 1x8x8 stage(4)[plain plain residual[plain norm]]")
    text = source(model.architecture)
    _check(text, tmp_path)
    again = executed(text, tmp_path)[1]()
    again.load_state_dict(model.state_dict())
    x = images(model, 2)
    assert torch.equal(again.eval()(x), model(x))
    with pytest.raises(RunError) as caught:
        source(compile("input 1x8x8 stage(4)[C residual[own conv]]").architecture)
    assert caught.value.message == (
        "the block 'residual' at stage1.block2 cannot be written as python: "
        "it builds its module itself, and says no call that makes it"
    )
    assert "pt2" in (caught.value.help or "")
