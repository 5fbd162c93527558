"""A network with a unit taken out is the network that was compiled without that unit."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from small_networks import HYBRID_UNITS, hybrid, images, one_thread  # noqa: F401
from torch import Tensor, nn

from archdsl.analyses.lesion import measure, plot, without
from archdsl.analyses.measuring import prefix
from archdsl.api.compile import compile
from archdsl.base import colours
from archdsl.base.errors import RunError, UsageError
from archdsl.network.model import Network, units
from archdsl.network.units import Unit

SPEC = "input 1x8x8 classes 3 stem patch(2, k=2) defaults(heads=1, head_dim=4) stage(4)[{0}]"


def network(blocks: str) -> Network:
    """A network with running statistics and weights that are not those of a new one."""
    torch.manual_seed(0)
    model = compile(SPEC.replace("{0}", blocks))
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.add_(0.3 * torch.rand_like(value) if "var" in name else 0.3 * torch.randn_like(value))
    return model.double().eval()


def shorter(model: Network, blocks: str, index: int) -> Network:
    """The network of `blocks`, with the weights of the longer one less its block number `index` (from 1)."""
    made = compile(SPEC.replace("{0}", blocks)).double().eval()

    def renumbered(name: str) -> str | None:
        found = re.match(r"stage1\.block(\d+)\.(.*)", name)
        if found is None:
            return name
        number = int(found[1])
        return None if number == index else f"stage1.block{number - (number > index)}.{found[2]}"

    state = {new: value for name, value in model.state_dict().items() if (new := renumbered(name)) is not None}
    made.load_state_dict(state)
    return made


@pytest.mark.parametrize(("blocks", "index", "rest"), [("C C M C", 2, "C M C"), ("C M M C", 2, "C M C")])
def test_equal_to_the_network_compiled_without_the_block(blocks: str, index: int, rest: str) -> None:
    model = network(blocks)
    other = shorter(model, rest, index)
    x, _ = images(5)
    whole = model(x)
    with torch.no_grad(), without(model.get_submodule(f"stage1.block{index}")):
        cut = model(x)
    assert torch.allclose(cut, other(x), rtol=0, atol=1e-12)
    assert not torch.allclose(cut, whole, atol=1e-3)
    assert torch.equal(model(x), whole)  # it came back


def test_every_unit_against_the_networks_without_it() -> None:
    model = network("C C M")
    batches = [images(20), images(30, seed=1), images(25, seed=2)]
    found = measure(model, batches, units(model))
    assert [unit.path for unit in found.units] == ["stage1.block1", "stage1.block2", "stage1.block3"]
    rest = shorter(model, "C M", 2)
    correct = [(rest(x).argmax(1) == labels).sum().item() for x, labels in batches]
    clean = [(model(x).argmax(1) == labels).sum().item() for x, labels in batches]
    assert found.units[1].correct.tolist() == correct
    assert found.clean.tolist() == clean
    assert found.lost(found.units[1]) == pytest.approx((sum(clean) - sum(correct)) / 75)
    scores = found.scores()
    assert scores["lesion_msa"] == found.lost(found.units[2])
    assert scores["lesion_conv"] == pytest.approx(np.mean([found.lost(unit) for unit in found.units[:2]]))
    assert found.standard_errors()["lesion_msa"] == pytest.approx(found.lost_error(found.units[2]))


def test_a_projected_shortcut_stays() -> None:
    """Where the shape changes, the shortcut alone goes through the last activation."""
    model = compile("input 1x8x8 classes 3 stem patch(2, k=2) stage(4)[C] stage(6)[C]").double().eval()
    x, _ = images(3)
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        kept.extend((inputs[0], output))

    block = model.stage2.block1
    block.register_forward_hook(keep)
    with torch.no_grad(), without(block):
        model(x)
        h = kept[0]
        for name in block.shared:
            h = block.get_submodule(name)(h)
        expected = block.shortcut(h) if block.act_out is None else block.act_out(block.shortcut(h))
    assert expected.shape == (3, 6, 2, 2)
    assert torch.equal(kept[1], expected)


def test_modules_that_are_not_ours_are_bypassed_where_they_keep_the_shape() -> None:
    model, batches = hybrid(), [images(20)]
    found = measure(model, batches, HYBRID_UNITS)
    assert [unit.path for unit in found.units] == ["stage1.0", "stage1.1", "stage2.1"]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("stage2.0 is not residual and changes the shape")
    x, labels = batches[0]
    model.eval()
    middle = model.stage1[0](model.stem(x))
    expected = model.head(model.stage2(middle).mean((2, 3)))
    assert found.units[1].correct.tolist() == [(expected.argmax(1) == labels).sum().item()]


def test_a_module_that_writes_into_its_input() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    x, _ = images(4)
    with torch.no_grad(), without(model[1]):
        assert torch.equal(model(x), model[0](x).mean((2, 3)))


def test_as_many_forward_passes_as_units_and_two_more() -> None:
    model = network("C C M")
    passes: list[int] = []
    model.register_forward_hook(lambda m, i, o: passes.append(len(o)))
    measure(model, [images(20)], units(model))
    # One image first, to see which units can be taken out; the whole, each unit, and what checks the replay.
    assert passes == [1, *[20] * 5]


class Leaving(nn.Module):
    """A unit that leaves its map in a list, which it is given or holds, or on itself."""

    def __init__(self, held: list[Tensor] | None) -> None:
        super().__init__()
        self.held, self.conv = held, nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor, memory: list[Tensor] | None = None) -> Tensor:
        self.left = self.conv(x).tanh()
        memory = self.held if memory is None else memory
        if memory is not None:
            memory.append(self.left)
        return self.left


class Remembering(nn.Module):
    """All units' maps go into the head, on a way of their own."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.memory = way, []
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.blocks = nn.ModuleList([Leaving(self.memory if way == "held" else None) for _ in range(3)])
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        self.memory.clear()
        given = {"keyword": {"memory": self.memory}}.get(self.way, {})
        for block in self.blocks:
            x = block(x, self.memory) if self.way == "positional" else block(x, **given)
        memory = [block.left for block in self.blocks] if self.way == "itself" else self.memory
        return self.head(torch.cat(memory, 1).mean((2, 3)))


@pytest.mark.parametrize("way", ["positional", "keyword", "held", "itself"])
def test_units_that_act_by_side_effect(way: str) -> None:
    torch.manual_seed(0)
    model = Remembering(way).double().eval()
    batches = [images(40), images(40, seed=1)]
    paths = [f"blocks.{index}" for index in range(3)]
    found = measure(model, batches, [Unit(path, "C", "conv", 1, (8, 8)) for path in paths])
    with torch.no_grad():
        assert found.clean.tolist() == [(model(x).argmax(1) == labels).sum().item() for x, labels in batches]
        for unit, path in zip(found.units, paths, strict=True):
            with without(model.get_submodule(path)):
                correct = [(model(x).argmax(1) == labels).sum().item() for x, labels in batches]
            assert unit.correct.tolist() == correct


class Odd(nn.Module):
    """Units that write into what they are given, that run twice, that hold one another, and whose maps are used late."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.one, self.again, self.last = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))
        self.relu = nn.ReLU(inplace=True)
        self.outer = nn.Sequential(nn.Conv2d(4, 4, 1), nn.Tanh(), nn.Conv2d(4, 4, 3, padding=1))
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        first = self.one(self.stem(x))
        x = self.again(self.relu(first) + 1)
        x = self.outer(self.again(x))
        return self.head((self.last(x) - first).mean((2, 3)))


@pytest.mark.parametrize("limit", [2**30, 30_000, 0])
def test_what_comes_before_a_unit_is_not_run_again_and_the_same(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    ours = network("C M C M")
    odd = Odd().double().eval()
    paths = ["one", "relu", "again", "outer", "outer.0", "outer.2", "last"]
    for model, parts in ((ours, units(ours)), (odd, [Unit(path, "C", "conv", 1, (8, 8)) for path in paths])):
        batches = [images(40), images(30, seed=1)]
        monkeypatch.setattr(prefix.Prefix.__init__, "__defaults__", (limit,))
        outputs: list[Tensor] = []
        handle = model.register_forward_hook(lambda m, i, o, outputs=outputs: outputs.append(o))
        measure(model, batches, parts)
        handle.remove()
        expected = []
        with torch.no_grad():
            for x, _ in batches:
                expected.append(model(x))
                for unit in parts:
                    with without(model.get_submodule(unit.path)):
                        expected.append(model(x))
                if limit > (30_000 if model is odd else 0):  # something is kept: the pass that checks the replay
                    expected.append(model(x))
        assert len(outputs) == 1 + len(expected)
        assert all(torch.equal(one, other) for one, other in zip(outputs[1:], expected, strict=True))
        assert not any("forward" in module.__dict__ for module in model.modules())


def test_a_unit_runs_as_often_as_something_before_it_changes() -> None:
    model = network("C C M C")
    runs = dict.fromkeys(["block1", "block2", "block3", "block4"], 0)

    def count(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor]) -> None:
            runs[name] += 1

        return hook

    for name in runs:  # inside the block: a hook on the block itself would see replays too
        block = model.get_submodule(f"stage1.{name}")
        block.get_submodule(block.branch[0]).register_forward_pre_hook(count(name))
    measure(model, [images(20)], units(model))
    assert runs == {"block1": 3, "block2": 4, "block3": 5, "block4": 6}  # the probe, the whole, itself, those before


def test_the_model_is_left_as_found() -> None:
    model = hybrid()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure(model, [images()], HYBRID_UNITS)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_bad_units_and_outputs() -> None:
    with pytest.raises(UsageError, match="no blocks to take out"):
        measure(hybrid(), [images()], [])
    with pytest.raises(UsageError, match="no block 'stage9'"):
        measure(hybrid(), [images()], [Unit("stage9", "C", "conv", 1, (8, 8))])
    with pytest.raises(RunError, match="no block can be taken out"):
        measure(hybrid(), [images()], HYBRID_UNITS[2:3])
    model = hybrid()
    nn.init.constant_(model.stem.weight, float("inf"))
    with pytest.raises(RunError, match="outputs are not finite"):
        measure(model, [images()], HYBRID_UNITS)
    assert not any(module._forward_hooks for module in model.modules())
    model = hybrid()
    model.unused = nn.Identity()
    with pytest.raises(RunError, match="'unused' was not run"):
        measure(model, [images()], [Unit("unused", "C", "conv", 1, (8, 8))])


def test_the_figure_shows_what_is_lost() -> None:
    found = measure(hybrid(), [images(20), images(20, seed=1)], HYBRID_UNITS)
    ax = Figure().add_subplot()
    plot(found, ax)
    heights = [bar.get_height() for bar in ax.containers[-1]]
    assert heights == pytest.approx([100 * found.lost(unit) for unit in found.units])
    plot(found, ax, label="second", color=colours.network(1))
    assert "second" in [text.get_text() for text in ax.get_legend().get_texts()]
