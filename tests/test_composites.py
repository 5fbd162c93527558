"""Composite blocks: what `block`, `residual`, `sum`, `concat` and `if` mean, and that the prelude's are the published ones."""

from __future__ import annotations

import copy
import pickle
import re

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl import ir, resources, space
from archdsl.architecture import Architecture, resolve
from archdsl.blocks import BLOCKS
from archdsl.blocks.structures import STRUCTURES
from archdsl.errors import SpecError
from archdsl.language import parse, prelude, write
from archdsl.model import Network, build

GHOST = "block ghost(k=3, act=relu) = residual[conv(width//2, k=1) norm act conv(k=k, groups=width//2) norm]\n"


def network(text: str) -> Network:
    torch.manual_seed(0)
    return build(resolve(parse(text))).eval()


def block(text: str, path: str = "stage1.block1") -> nn.Module:
    return network(text).get_submodule(path)


# ---- meaning ---------------------------------------------------------------------------------------------------------


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


# ---- holes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("block g = residual[{conv|conv(k=5)} norm] stage[g g]", 4),
        ("block g = residual[{conv|conv(k=5)} norm] let G = g stage[G G]", 2),
        ("let K = {3|5} block g = residual[conv(k=K)] stage[g g]", 2),
        ("block g(k={3|5}) = residual[conv(k=k) conv(k=k)] stage[g g g(k=7)]", 4),
        ("block g(k=3) = residual[conv(k=k)] stage[g(k={3|5}) g g(k={1|3|5})]", 6),
        ("block g = residual[{conv|conv(k=5)} {act|}] stage(32)[g g*2 {g|M}]", 4**3 * 5),
        ("block h = {conv|norm} block g = residual[h h] stage[g {g|C}]", 4 * 5),
        ("block g = residual[conv*{1..3}] stage[g g]", 9),
        ("stage[residual[{conv|norm}] sum[{conv|norm} {act|}]]", 8),
        ("block g(order=pre) = if order == pre (norm conv) else (conv norm) stage[g(order={pre|post}) g]", 2),
    ],
)
def test_holes_in_blocks_are_decided_at_each_use(text: str, size: int) -> None:
    spec = parse(text)
    assert space.size(spec) == size == len(list(space.fillings(spec)))
    assert ir.Spec.model_validate_json(spec.model_dump_json()) == spec
    assert archdsl.hash(text) != archdsl.hash("stage[C]")


def test_members_of_a_space_of_blocks_print_and_come_back() -> None:
    text = f"""
        {GHOST}
        block mixed(n={{1|2}}) = residual[{{conv|conv(k=5)}} norm {{act|}} (conv(k=1) act)*n]
        let G = ghost(k=5)
        stage(16)[mixed mixed {{G|ghost|residual(shortcut=pool)[conv({{16|32}})]}}]
    """
    networks = list(space.members(parse(text)))
    assert len(networks) == 8 * 8 * 4
    for member in networks[::7]:
        printed = write(member)
        again = resolve(parse(printed))
        assert again.hash == member.hash
        assert again.params == member.params
        assert (again.layout, again.depth) == (resolve(parse(printed)).layout, member.depth)


# ---- identity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{GHOST} stage[ghost]", "stage[residual[conv(width//2, k=1) norm act conv(k=3, groups=width//2) norm]]"),
        (f"{GHOST} stage[ghost]", "stage[residual[conv(32, k=1) norm act conv(64, groups=32) norm]]"),
        (f"{GHOST} stage[ghost(k=5)]", GHOST.replace("ghost", "spirit") + "stage[spirit(5)]"),
        ("block pair = norm act stage[pair conv]", "block pair = norm act stage[pair (conv)]"),
        (
            "stage[T]",
            "stage[T2] block T2 = residual[norm(ln) attention(qkv_bias=true)] "
            "residual[norm(ln) linear(in*4) act(gelu) linear(in)]",
        ),
    ],
)
def test_a_block_and_what_it_stands_for_are_the_same_network(one: str, other: str) -> None:
    assert archdsl.hash(one) == archdsl.hash(other)


def test_spaces_of_blocks() -> None:
    one, other = f"{GHOST} stage[{{ghost|M}}]", GHOST.replace("ghost", "spirit") + "stage[{spirit|M}]"
    assert archdsl.hash(one) == archdsl.hash(other)
    assert archdsl.hash(one) != archdsl.hash(one.replace("k=3", "k=5"))


@pytest.mark.parametrize("text", [f"{GHOST} stage[ghost {{C|M}}]", "block g = {conv|norm} stage[g g sum[g act]]"])
def test_blocks_travel_to_other_processes(text: str) -> None:
    found = resolve(parse(text))
    for copied in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert isinstance(copied, Architecture)
        assert copied.hash == found.hash
        assert write(copied) == write(found)


# ---- the prelude -----------------------------------------------------------------------------------------------------


def test_every_block_of_the_prelude_can_be_written_by_a_user() -> None:
    """Copied into a file under another name, a block of the prelude is the same block."""
    text = (resources.folder("grammars") / "prelude.arch").read_text(encoding="utf-8")
    for name in prelude.names():
        own = re.sub(r"^block (\w+)", r"block my_\1", text, flags=re.M)
        assert archdsl.hash(f"{own}\nstage(64)[my_{name}]") == archdsl.hash(f"stage(64)[{name}]")
        found = parse(f"{own}\nstage(64)[my_{name}]").blocks[f"my_{name}"]
        assert found.summary == prelude.definition(name).summary != ""
        assert prelude.parameters(name) == tuple(p.name for p in found.parameters)


def test_names_of_primitives_prelude_and_structures_are_apart() -> None:
    assert not set(prelude.names()) & set(BLOCKS)
    assert not set(STRUCTURES) & {*BLOCKS, *prelude.names()}
    assert set(STRUCTURES) == set(ir.STRUCTURES)
    assert set(ir.LETTERS) & {*BLOCKS, *prelude.names()} == set()
    assert {letter.kind for letter in ir.LETTERS.values()} <= set(prelude.names())


def test_a_file_may_take_the_name_of_a_prelude_block() -> None:
    assert archdsl.hash("block mixer = residual[conv] stage[mixer]") == archdsl.hash("stage[residual[conv]]")


def same(ours: nn.Module, theirs: nn.Module, x: Tensor) -> None:
    """The same outputs and gradients, weights carried over in order."""
    theirs.eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.1)
    mine, other = list(ours.parameters()), list(theirs.parameters())
    assert [p.numel() for p in mine] == [p.numel() for p in other]
    with torch.no_grad():
        for a, b in zip(mine, other, strict=True):
            a.copy_(b.reshape(a.shape))
    xs = [x.clone().requires_grad_() for _ in range(2)]
    ys = [ours(xs[0]), theirs(xs[1])]
    torch.testing.assert_close(ys[0], ys[1], rtol=1e-4, atol=1e-5)
    for y in ys:
        y.square().sum().backward()
    torch.testing.assert_close(xs[0].grad, xs[1].grad, rtol=1e-3, atol=1e-4)


def test_mbconv_is_timms_inverted_residual() -> None:
    from timm.models._efficientnet_blocks import InvertedResidual, SqueezeExcite

    def se(channels: int, **kwargs: object) -> nn.Module:
        return SqueezeExcite(channels, rd_channels=4, act_layer=nn.SiLU)

    theirs = InvertedResidual(16, 16, exp_ratio=4.0, se_layer=se, act_layer=nn.SiLU)
    same(block("stem conv(16) stage(16)[mbconv]"), theirs, torch.randn(2, 16, 8, 8))
    theirs = InvertedResidual(16, 24, stride=2, dw_kernel_size=5, exp_ratio=4.0, se_layer=None, act_layer=nn.SiLU)
    text = "stem conv(16) stage(16)[C] stage(24)[mbconv(k=5, se=none)]"
    same(block(text, "stage2.block1"), theirs, torch.randn(2, 16, 8, 8))


def test_convnext_is_timms_block() -> None:
    from timm.models.convnext import ConvNeXtBlock

    ours = block("stem conv(16) stage(16)[convnext]")
    theirs = ConvNeXtBlock(16)
    names = ["gamma", "conv_dw", "norm", "mlp.fc1", "mlp.fc2"]
    found = [name for name, _ in theirs.named_parameters()]
    assert found[0] == names[0]  # timm's layer scale comes first, ours where it acts
    theirs.register_parameter("gamma", theirs._parameters.pop("gamma"))
    order = [*theirs.conv_dw.parameters(), *theirs.norm.parameters(), *theirs.mlp.parameters(), theirs.gamma]
    holder = nn.ParameterList(order)

    class Reordered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ordered = holder
            self.block = [theirs]

        def forward(self, x: Tensor) -> Tensor:
            return self.block[0](x)

    same(ours, Reordered(), torch.randn(2, 16, 8, 8))


def test_mixer_is_timms_block() -> None:
    from timm.models.mlp_mixer import MixerBlock

    ours = block("stem patch(16, k=8) stage(16)[mixer]")
    theirs = MixerBlock(16, 16)

    class OnMaps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = theirs

        def forward(self, x: Tensor) -> Tensor:
            return self.block(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(x.shape)

    same(ours, OnMaps(), torch.randn(2, 16, 4, 4))


# ---- found by review: module names that clash, holes in blocks of blocks, words that parameters take ------------------

REVIEWED = [
    "block conv2 = conv norm  stage(16)[residual[conv conv conv2]]",
    "block half = conv norm  stage(16)[residual[half act]]",
    "block shortcut = conv stage(16)[residual[shortcut norm]]",
    "stem patch(64,k=8) concat[cls cls]  stage(128)[T]  head cls linear",
    "block g(k=1) = if k == 1 (conv(stride=stride)) else (norm act)  stage(64)[C] stage(128)[g(k=2) act]",
    "stage(32)[C] stage(64)[residual[{conv(stride=stride)|norm}]]",
    "stage(64)[sum[conv (norm act)*2]]",
    "let p = norm act  stage(64)[sum[conv p*2 {norm|act}*2 (norm act)*{1..2}]]",
    "block g(act=gelu) = act(relu) conv act stage(16)[g]",
    "block unit(n, act=none) = residual[(conv norm act(relu))*n conv norm] if act != none (act) else (drop(0.05)) stage(16, n=1) [unit unit(2, act=gelu)]",
    "block h = {conv|norm}  stage(16)[residual[h]]",
    "block h = {conv|norm} block g = residual[h h] stage(16)[g]",
    "block g(k=3)={conv(k=k)|norm} block f(k=3)=g(k=k) stage(16)[f g]",
    "block h = {conv|norm} stage(16)[{h|C}]",
    "block g(k=3) = {conv(k=k)|} norm  stage(16)[g]",
    "block g = {conv|} norm let G = g let H = g(width=16) stage(16)[G H g g G]",
    "stage(16)[residual[conv(classes) conv] residual[conv(classes) conv]]",
    "block C = residual[conv norm]  let M = C  stage(16)[M C]",
    "block g(k=3, act=relu) = conv(k=k) act  let A = g(5, gelu)  stage(16)[A(7)]",
    "block g = {linear(10)|norm linear(10)} stage[C] head gap g",
    "block g = conv norm  stage(64)[residual[g]]",
    "stage(16)[residual(act={none|relu})[se(8, act={relu|gelu})]]",
    "block inner(k=3,m=3)=conv(k=k) conv(k=m)  block g(k={3|5}) = inner(k={1|7}, m=k)  stage(8)[g]",
]


@pytest.mark.parametrize("text", REVIEWED)
def test_every_member_is_built_as_counted_and_prints_as_itself(text: str) -> None:
    spec = parse(text)
    found = list(space.members(spec))
    assert found
    for member in found[:8]:
        model = build(member).eval()
        assert sum(p.numel() for p in model.parameters()) == member.params
        assert model(torch.zeros(2, *member.input)).shape == (2, member.classes)
        printed = write(member)
        again = resolve(parse(printed))
        assert (again.hash, again.params, again.depth) == (member.hash, member.params, member.depth), printed
        assert pickle.loads(pickle.dumps(member)).hash == member.hash


def test_where_the_shortcut_leaves_is_part_of_the_hash() -> None:
    stages = "stage(64)[C] stage(128)"
    one = f"block pair = norm act {stages}[residual(after=1)[pair conv(stride=stride)]]"
    other = f"block tail(stride) = act conv(stride=stride) {stages}[residual(after=1)[norm tail(stride=stride)]]"
    assert archdsl.hash(one) == archdsl.hash(f"{stages}[residual(after=2)[norm act conv(stride=stride)]]")
    assert archdsl.hash(one) != archdsl.hash(other)


def test_names_that_modules_have_already() -> None:
    from archdsl.blocks.base import TAKEN_NAMES
    from archdsl.layers.parallel import Parallel
    from archdsl.layers.residual import Residual

    modules = (nn.Sequential(), Residual([], None, 0, None), Parallel([], "sum"))
    there = {name for module in modules for name in dir(module) if not name.startswith(("_", "register_"))}
    assert there <= TAKEN_NAMES


def test_what_a_broken_definition_leaves_open_is_no_mistake() -> None:
    for text in ("let W = 64 64\nstage(W)[C(k=W)]", "let M = transformer(heads=2 mlp_ratio=2)\nstage[M(mlp_ratio=2)]"):
        with pytest.raises(SpecError) as caught:
            parse(text)
        assert len(caught.value.diagnostics) == 1
