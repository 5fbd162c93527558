"""What CONTRIBUTING shows, followed: its files put where they belong give a block that compiles, exports and pickles."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from archdsl import blocks
from archdsl.api.compile import compile
from archdsl.base.errors import SpecError
from archdsl.blocks import layers, primitives
from archdsl.interchange.export import export

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Add a block")[2].partition("\n## ")[0]
TEXT = "model wide  block wide = residual[conv(in*2) grn conv(in)]  stage(16)[C grn(eps=1e-3) wide sum[conv grn]]"


def fences(language: str) -> list[str]:
    """The examples of the section in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.M | re.S)


@pytest.fixture
def grn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The two files of the section, each in a folder of its package."""
    for package, text in zip((layers, primitives), fences("python"), strict=True):
        folder = tmp_path / package.__name__
        folder.mkdir()
        assert f"`{package.__name__.replace('.', '/')}/grn.py`" in SECTION
        (folder / "grn.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()
    importlib.import_module("archdsl.blocks.primitives.grn")
    yield
    blocks.BLOCKS._entries.pop("grn", None)
    for package in (layers, primitives):
        sys.modules.pop(f"{package.__name__}.grn", None)
        vars(package).pop("grn", None)


def test_a_block_of_the_prelude() -> None:
    (defined,) = fences("arch")
    assert compile(f"{defined}\nstage(16)[fused_mbconv]\nstage[fused_mbconv(k=5)]").architecture.depth == 2


@pytest.mark.usefixtures("grn")
def test_a_primitive(tmp_path: Path) -> None:
    network = compile(TEXT).eval()
    assert sum(p.numel() for p in network.parameters()) == network.architecture.params
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(2, 3, 32, 32)
    expected = network(x)
    assert expected.shape == (2, 10)

    again = pickle.loads(pickle.dumps(network))
    assert torch.equal(again(x), expected)
    assert again.architecture.hash == network.architecture.hash

    path = export(network, ["python"], tmp_path)["python"]
    assert "archdsl.blocks" not in path.read_text(encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = module.Wide()
    written.load_state_dict(network.state_dict())
    assert torch.equal(written.eval()(x), expected)


@pytest.mark.usefixtures("grn")
def test_the_arguments_of_a_primitive_are_checked() -> None:
    with pytest.raises(SpecError, match="'eps' must be more than 0, not 0"):
        compile("stage(16)[grn(eps=0.0)]")
    with pytest.raises(SpecError, match="'grn' needs a feature map"):
        compile("stage(16)[C] head gap grn linear")
