"""The prelude: its blocks are the published ones, and any of them could be a user's own."""

from __future__ import annotations

import re

import torch
from composed_networks import block
from torch import Tensor, nn

import archdsl
from archdsl import ir
from archdsl.base import resources
from archdsl.blocks import BLOCKS
from archdsl.blocks.structures import STRUCTURES
from archdsl.language import parse, prelude


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
    assert set(prelude.letters()) & {*BLOCKS, *prelude.names()} == set()
    assert {letter.kind for letter in prelude.letters().values()} <= set(prelude.names())


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
