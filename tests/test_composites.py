"""Composite blocks: what `block`, `residual`, `sum`, `concat`, `if` and `in` mean."""

from __future__ import annotations

import pytest
import torch
from composed_networks import GHOST, block, network
from torch import nn

from archdsl import space
from archdsl.base.errors import SpecError
from archdsl.interchange.arch_text import write
from archdsl.language import parse
from archdsl.network import resolve


def test_the_example_of_the_language_page() -> None:
    model = network(f"{GHOST} stage(64)[ghost ghost(k=5) M]")
    assert [b.label for b in model.architecture.stages[0].blocks] == ["ghost", "ghost", "M"]
    first, second = model.stage1.block1, model.stage1.block2
    x = torch.randn(2, 64, 32, 32)
    h = first.norm2(first.conv2(torch.relu(first.norm(first.conv(x)))))
    torch.testing.assert_close(first(x), x + h)
    assert (first.conv.out_channels, first.conv.kernel_size, first.conv2.groups) == (32, (1, 1), 32)
    assert (first.conv2.kernel_size, second.conv2.kernel_size) == ((3, 3), (5, 5))
    assert sum(p.numel() for p in model.parameters()) == model.architecture.params


def test_a_parameter_with_the_name_of_a_block_is_its_first_argument() -> None:
    found = block(f"{GHOST} stage(64)[ghost(act=gelu)]")
    assert isinstance(found.act, nn.GELU)
    shown = block("block two(norm=gn) = norm norm(bn) norm stage(64)[two]")
    assert [type(m) for m in shown] == [nn.GroupNorm, nn.BatchNorm2d, nn.GroupNorm]


def test_arguments_reach_a_block_from_the_block_the_stage_and_the_defaults() -> None:
    text = f"{GHOST} defaults(k=7) stage(64, k=5)[ghost ghost(k=1)] stage(64, stride=1)[ghost]"
    kernels = [m.kernel_size[0] for name, m in network(text).named_modules() if name.endswith("conv2")]
    assert kernels == [5, 1, 7]


def test_a_block_is_closed() -> None:
    """What the stage says does not reach what a block is made of, only its parameters do."""
    text = "block bare = residual[conv norm] stage(64, groups=2)[bare]"
    with pytest.raises(SpecError, match="no block of this stage takes 'groups'"):
        parse(text)
    model = network("input 4x32x32 block bare = residual[conv norm] defaults(groups=2) stage(64)[bare C]")
    assert (model.stage1.block1.conv.groups, model.stage1.block2.conv.groups) == (1, 2)


def test_what_speaks_of_stride_strides_and_the_rest_is_put_behind_a_layer() -> None:
    striding = resolve(parse("block s = residual[conv(stride=stride) norm] stage[C] stage[s s]")).stages[1]
    assert striding.downsampling is None
    assert [b.cost.out.dims for b in striding.blocks] == [[128, 16, 16]] * 2
    bare = resolve(parse("block s = residual[conv norm] stage[C] stage[s s]")).stages[1]
    assert bare.downsampling is not None
    assert bare.downsampling.kind == "down_patch"
    still = resolve(parse("stage(64)[C] stage(64, stride=1)[residual[norm act]]")).stages[1]
    assert still.downsampling is None


@pytest.mark.parametrize(("shortcut", "kinds"), [("conv", [nn.Conv2d]), ("pool", [nn.AvgPool2d, nn.Conv2d])])
def test_a_residual_projects_where_the_shape_changes(shortcut: str, kinds: list[type]) -> None:
    text = f"stage(64)[C] stage(96)[residual(shortcut={shortcut})[conv(stride=stride) norm]]"
    found = block(text, "stage2.block1")
    modules = [m for m in found.shortcut.modules() if not list(m.children())]
    assert [type(m) for m in modules] == kinds
    x = torch.randn(2, 64, 32, 32)
    torch.testing.assert_close(found(x), found.shortcut(x) + found.norm(found.conv(x)))
    same = block(f"stage(64)[residual(shortcut={shortcut})[conv norm]]")
    assert same.shortcut is None


def test_a_residual_without_shortcut_adds_only_what_has_its_shape() -> None:
    text = "stage(64)[C] stage(96)[residual(shortcut=none)[conv(stride=stride)] residual(shortcut=none)[conv]]"
    model = network(text)
    first, second = model.stage2.block1, model.stage2.block2
    x = torch.randn(2, 64, 32, 32)
    y = first.conv(x)
    torch.testing.assert_close(first(x), y)
    torch.testing.assert_close(second(y), y + second.conv(y))


def test_a_residuals_shortcut_can_leave_late_and_be_normed_and_acted_on() -> None:
    text = "stage(64)[C] stage(96)[residual(after=2, norm=bn, act=gelu)[norm act conv(stride=stride)]]"
    found = block(text, "stage2.block1")
    x = torch.randn(2, 64, 32, 32)
    h = torch.relu(found.norm(x))
    expected = found.conv(h) + found.shortcut.norm(found.shortcut.conv(h))
    torch.testing.assert_close(found(x), nn.functional.gelu(expected))


def test_sum_and_concat_run_their_items_side_by_side() -> None:
    found = block("stage(64)[sum[conv (norm conv(k=5)) conv(k=1)*2]]")
    x = torch.randn(2, 64, 8, 8)
    a, b, c, d = (getattr(found, name) for name in found.branches)
    torch.testing.assert_close(found(x), a(x) + b(x) + c(x) + d(x))
    assert [type(m) for m in b] == [nn.BatchNorm2d, nn.Conv2d]
    found = block("stage(64)[concat[conv(16) (act conv(40)) maxpool(3, stride=1)]]", "stage1.block1")
    parts = [getattr(found, name)(x) for name in found.branches]
    torch.testing.assert_close(found(x), torch.cat(parts, 1))
    assert found(x).shape[1] == 16 + 40 + 64


def test_an_empty_alternative_of_a_sum_passes_its_input_on() -> None:
    texts = [write(m) for m in space.members(parse("stage(64)[sum[conv {norm|}]]"))]
    assert len(texts) == 2
    found = block(texts[1])
    x = torch.randn(2, 64, 8, 8)
    torch.testing.assert_close(found(x), found.conv(x) + x)


def test_in_is_what_flows_into_the_block() -> None:
    model = network("block wide = residual[conv(in*2, k=1) conv(in, k=1)] stage(48)[wide] stage(80)[conv(in) wide]")
    assert model.stage1.block1.conv.out_channels == 96
    assert model.stage2.block1.out_channels == 48
    assert network("stage(48)[C] head gap linear(in*3) act linear(classes)").head.linear.out_features == 144


def test_if_takes_one_side_and_repeats_take_parameters() -> None:
    text = "block deep(n=2, order=post) = conv*n if order == pre (norm act) else (act) if n > 2 (drop)\n"
    labels = {
        "deep": ["conv", "conv2", "act"],
        "deep(order=pre, n=0)": ["norm", "act"],
        "deep(n=3)": ["conv", "conv2", "conv3", "act", "drop"],
    }
    for call, expected in labels.items():
        assert [name for name, _ in block(f"{text} stage(64)[{call}]").named_children()] == expected


def test_blocks_of_blocks_and_lets_inside_of_them() -> None:
    text = """
        let K = 5
        let W = conv(k=K)
        block inner(k=3) = residual[W conv(k=k) norm]
        block outer(k=3) = inner(k=k) sum[inner (C M(heads=2))]
        stage(64)[outer(k=1)]
    """
    found = block(text)
    assert [m.kernel_size[0] for m in found.modules() if isinstance(m, nn.Conv2d)][:4] == [5, 1, 5, 3]
    assert network(text)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_tokens_flow_through_structures() -> None:
    text = (
        "stem patch(64, k=8) cls pos stage(64)[residual[norm(ln) sum[linear(in) attention(heads=2)]]] head cls linear"
    )
    assert network(text)(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    wider = "stem patch(64, k=8) cls stage(64)[residual[linear(96)] residual[linear(in)]] head cls linear"
    assert network(wider)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_units_of_the_analyses() -> None:
    text = "stage(64)[residual[norm attention] residual[norm conv(k=5)] residual[norm linear(in)] mixer T conv act]"
    found = [(unit.path.removeprefix("stage1."), unit.kind) for unit in resolve(parse(text)).units]
    assert found == [
        ("block1", "msa"),
        ("block2", "conv"),
        ("block3", "mlp"),
        ("block4.mlp", "mlp"),
        ("block4.mlp2", "mlp"),
        ("block5.attn", "msa"),
        ("block5.mlp", "mlp"),
        ("block6", "conv"),
    ]


def test_names_that_modules_have_already() -> None:
    from archdsl.blocks.layers.parallel import Parallel
    from archdsl.blocks.layers.residual import Residual
    from archdsl.blocks.names import TAKEN_NAMES

    modules = (nn.Sequential(), Residual([], None, 0, None), Parallel([], "sum"))
    there = {name for module in modules for name in dir(module) if not name.startswith(("_", "register_"))}
    assert there <= TAKEN_NAMES


def test_what_a_broken_definition_leaves_open_is_no_mistake() -> None:
    for text in ("let W = 64 64\nstage(W)[C(k=W)]", "let M = transformer(heads=2 mlp_ratio=2)\nstage[M(mlp_ratio=2)]"):
        with pytest.raises(SpecError) as caught:
            parse(text)
        assert len(caught.value.diagnostics) == 1
