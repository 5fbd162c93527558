"""Compiled networks: as large as the published ones, named after the spec, and what the cost rules say they are."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl import resources, space
from archdsl.architecture import resolve_model
from archdsl.blocks import BLOCKS
from archdsl.blocks.base import measure
from archdsl.errors import SpecError
from archdsl.language import parse, write
from archdsl.layers.attention import GridAttention, TokenAttention
from archdsl.model import build_node, compile, units
from archdsl.shapes import Shape, ShapeError

MODELS = {name for name, path in resources.shipped_specs().items() if not parse(path.read_text()).has_holes()}


def alternet(
    block: str, window: int, layout: str, expansion: int = 1, head: str = "input 3x32x32 classes 100 stem conv(64)"
):
    widths = [64, 128, 256, 512] if block == "basic" else [256, 512, 1024, 2048]
    stages = " ".join(
        f"stage({width}{f', heads={heads}' if 'M' in letters else ''})[{' '.join(letters)}]"
        for width, heads, letters in zip(widths, (3, 6, 12, 24), layout.split(), strict=True)
    )
    return f"{head} let C = {block}(order=pre) let M = msa(window={window}, expansion={expansion}) {stages}"


IMAGENET = "input 3x224x224 classes 1000"
VIT = "stem patch(192, k={k}) cls pos stage(192, heads=3, qkv_bias=false)[T*12] head norm(kind=ln) cls linear"
RESNET_50 = "stage(256)[bottleneck*3] stage[bottleneck*4] stage[bottleneck*6] stage[bottleneck*3] head gap linear"


@pytest.mark.parametrize(
    ("spec", "params"),
    [
        ("resnet_18", 11_220_132),
        ("resnet_50", 23_705_252),
        (f"{IMAGENET} stem conv(64, k=7, stride=2) norm act maxpool {RESNET_50}", 25_557_032),
        ("preresnet_18", 11_218_340),
        ("alternet_18", 9_499_063),
        (alternet("basic", 4, "CCC CCCM CMCMCM CMCM"), 22_362_954),
        ("alternet_50", 34_062_538),
        (
            alternet("bottleneck", 7, "CCC CCCM CMCMCM CMCM", 4, f"{IMAGENET} stem conv(64, k=7, stride=2) maxpool"),
            35_915_038,
        ),
        (alternet("bottleneck", 4, "CCC CCCM CCCCCM CMCM", 4), 33_012_840),
        (f"{IMAGENET} {VIT.format(k=16)}", 5_710_504),
        ("vit_ti", 5_403_172),
    ],
    ids=lambda value: str(value)[:24],
)
def test_parameters_are_those_of_the_published_models(spec: str, params: int):
    """models.md: counts measured on the paper's public code and timm."""
    from archdsl.sources import read_spec

    source = read_spec(spec)
    architecture = resolve_model(source.spec(), source.text)
    assert architecture.params == params
    with torch.device("meta"):
        module = compile(spec)
    assert sum(p.numel() for p in module.parameters()) == params


def check_against_profiler(network: torch.nn.Module, x: torch.Tensor, macs: int) -> None:
    # On a CPU the fused attention kernel hides from the counter, so the plain one runs here.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(x)
    assert macs == pytest.approx(counter.get_total_flops() / 2 / x.shape[0], rel=0.01)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_shapes_parameters_and_macs_of_every_shipped_model(name: str):
    network = compile(name).eval()
    architecture = network.architecture
    assert sum(p.numel() for p in network.parameters()) == architecture.params
    shapes: dict[str, list[int]] = {}
    for path, module in network.named_modules():
        module.register_forward_hook(lambda m, i, out, path=path: shapes.__setitem__(path, list(out.shape[1:])))
    x = torch.randn(1, *architecture.input)
    check_against_profiler(network, x, architecture.macs)
    for block in architecture.blocks():
        assert shapes[block.path] == block.cost.out.dims, block.path
    for unit in units(network):
        assert unit.path in shapes
    assert network(x).shape == (1, architecture.classes)


SHAPES = [Shape(8, 8, 8), Shape(16, 6, 9), Shape(8, 4, 4, prefix=1), Shape(8, 0, 0), Shape(8, 1, 1)]


@pytest.mark.parametrize("kind", list(BLOCKS))
def test_the_contract_of_a_block(kind: str):
    """Shape exactly, parameters to the unit, MACs within 1% of a profiler, a finite backward pass, at every shape it takes."""
    cls = BLOCKS[kind]
    assert cls.summary
    assert cls.__doc__
    assert all(cls.takes(name) for name in cls.positional)
    required = {name: 16 for name, field in cls.model_fields.items() if field.is_required()}
    variants: list[dict[str, object]] = [{}]
    for name, values in {
        "stride": [2], "k": [1, 2], "order": ["pre"], "window": [2, 4], "shift": [True], "local": [3], "rel_pos": [True, False],
        "groups": [2], "bias": [True], "norm": ["ln", "gn"], "act": ["silu"], "kind": ["ln", "gn", "gelu"], "expansion": [2],
        "heads": [2], "qkv_bias": [False], "mlp_ratio": [1.5], "width": [8],
    }.items():  # fmt: skip
        if cls.takes(name):
            variants += [{name: value, **({"window": 2} if name == "shift" else {})} for value in values]
    worked = 0
    for variant, x in itertools.product(variants, SHAPES):
        try:
            block = cls(**(required | variant))
            cost = measure(block, x)
        except (ShapeError, ValueError):
            continue
        worked += 1
        module = build_node(block, x)
        sample = torch.randn(2, *x.dims, requires_grad=True)
        out = module(sample)
        assert list(out.shape[1:]) == cost.out.dims, (variant, x)
        assert sum(p.numel() for p in module.parameters()) == cost.params, (variant, x)
        out.sum().backward()
        assert torch.isfinite(sample.grad).all()
        if cost.macs:
            check_against_profiler(module.eval(), sample.detach(), cost.macs)
    assert worked


def test_modules_are_named_after_the_spec_and_features_come_before_the_head():
    network = archdsl.compile("stage(16)[C M] stage(32)[C T M]")
    names = dict(network.named_modules())
    assert {
        "stem.conv",
        "stage1.block2.attn",
        "stage2.block2.attn",
        "stage2.block2.mlp",
        "stage2.block3.attn",
        "head.linear",
    } <= set(names)
    x = torch.randn(2, 3, 32, 32)
    network.eval()
    features = network.forward_features(x)
    assert features.shape == (2, 32, 16, 16)
    assert torch.equal(network.forward_head(features), network(x))
    twin = archdsl.compile("stage(16)[C M] stage(32)[C T M]").eval()
    twin.load_state_dict(network.state_dict())
    assert torch.equal(twin(x), network(x))


def test_a_space_is_no_model():
    with pytest.raises(SpecError, match="this file is a space"):
        archdsl.compile("stage[{C|M}]")


# ---- attention against the plain definition, float64 ------------------------------------------------------


def plain(attention: TokenAttention, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Softmax attention over (N, C), written out; bias (heads, N, N)."""
    N = x.shape[0]
    q, k, v = attention.qkv(x).reshape(N, 3, attention.num_heads, -1).permute(1, 2, 0, 3)
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5 + bias).softmax(-1)
    return attention.proj((weights @ v).permute(1, 0, 2).reshape(N, -1))


@pytest.mark.parametrize("tables", [0, 1, 2])
@pytest.mark.parametrize(
    ("window", "shift", "local"),
    [(None, False, None), (2, False, None), (2, True, None), (4, True, None), (None, False, 3)],
)
def test_attention_against_the_plain_definition(window: int | None, shift: bool, local: int | None, tables: int):
    """Pair by pair: who sees whom, and with which entry of the position table. Three windows a side with window=4."""
    torch.manual_seed(0)
    H, W, C, heads = 12, 8, 6, 2
    module = (
        GridAttention(C, 5, heads, 3, grid=(H, W), window=window, shift=shift, local=local, tables=tables)
        .double()
        .eval()
    )
    x = torch.randn(1, C, H, W, dtype=torch.float64)
    h, w = (window, window) if window else (H, W)
    moved = window // 2 if window and shift else 0
    places = [(r, c) for r in range(H) for c in range(W)]

    def home(r: int, c: int) -> tuple[int, ...]:
        """The window of a pixel: pixels share one when they are in the same cell of the moved grid and of the map."""
        rolled = ((r - moved) % H, (c - moved) % W)
        return (rolled[0] // h, rolled[1] // w, r < moved, c < moved)

    bias = torch.full((heads, H * W, H * W), float("-inf"), dtype=torch.float64)
    for i, (r, c) in enumerate(places):
        for j, (s, d) in enumerate(places):
            near = local is None or max(abs(r - s), abs(c - d)) <= local // 2
            if home(r, c) == home(s, d) and near:
                entry = module.table[:, r - s + h - 1, c - d + w - 1].double() if tables else torch.zeros(1)
                bias[:, i, j] = entry
    expected = plain(module, x[0].flatten(1).T, bias).T.reshape(1, 5, H, W)
    torch.testing.assert_close(module(x), expected)


def test_tokens_attend_to_all_tokens():
    torch.manual_seed(0)
    module = TokenAttention(6, 6, 2, 3).double()
    reference = torch.nn.MultiheadAttention(6, 2, bias=True, batch_first=True).double()
    with torch.no_grad():
        reference.in_proj_weight.copy_(module.qkv.weight)
        reference.in_proj_bias.zero_()
        reference.out_proj.weight.copy_(module.proj.weight)
        reference.out_proj.bias.copy_(module.proj.bias)
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(module(x), reference(x, x, x)[0])


def test_a_torchvision_resnet_and_ours_are_the_same_network():
    """Weights carried over by order: the same operations in the same order give the same numbers."""
    from torchvision.models import resnet18

    theirs = resnet18(num_classes=10).eval()
    ours = compile(
        "input 3x64x64 stem conv(64, k=7, stride=2) norm act maxpool stage(64)[basic*2] stage[basic*2] stage[basic*2] "
        "stage[basic*2] head gap linear"
    ).eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    # torchvision's downsample comes after the branch, as our shortcut does.
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", sorted(resources.shipped_specs()))
def test_every_shipped_file_trains_a_step_and_prints_itself(name: str):
    spec = parse(resources.shipped_specs()[name].read_text())
    architecture = space.check(spec)
    assert resolve_model(parse(write(architecture))).hash == architecture.hash
    if architecture.params < 12_000_000:
        network = compile(write(architecture))
        network(torch.randn(2, *architecture.input)).logsumexp(1).sum().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
