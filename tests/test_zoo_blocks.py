"""Blocks that published networks need, against PyTorch's and timm's own: padding, epsilons, merging, grids, timm bodies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

import archdsl
from archdsl import SpecError
from archdsl.interchange.arch_text import write
from archdsl.language import parse
from archdsl.network import resolve


def blocks(text: str, size: str = "3x32x32", width: int = 12) -> nn.Module:
    """The only stage of a network, in float64, with weights that are not as initialised."""
    torch.manual_seed(0)
    model = archdsl.compile(f"input {size} stem conv({width}) stage({width})[{text}] head gap linear").double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    stage: nn.Module = model.stage1
    return stage


def test_padding() -> None:
    stage = blocks("conv(12, k=7, stride=4, pad=2, bias=true)")
    x = torch.randn(2, 12, 32, 32, dtype=torch.float64)
    assert stage(x).shape == (2, 12, 8, 8)
    torch.testing.assert_close(stage(x), F.conv2d(x, stage.block1.weight, stage.block1.bias, 4, 2), rtol=0, atol=0)
    assert blocks("conv(12, k=16, stride=8, pad=0)")(x).shape == (2, 12, 3, 3)


def test_padding_as_by_default_is_the_same_network() -> None:
    assert archdsl.hash("stage[conv(k=5, pad=2)]") == archdsl.hash("stage[conv(k=5)]")
    assert archdsl.hash("stage[conv(k=5, pad=1)]") != archdsl.hash("stage[conv(k=5)]")
    with pytest.raises(SpecError, match="k=9 does not fit"):
        archdsl.compile("input 3x4x4 stage[conv(k=9, pad=2)]")


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("norm(ln, eps=1e-5)", nn.LayerNorm(12, eps=1e-5)),
        ("norm(gn, groups=1)", nn.GroupNorm(1, 12)),
        ("norm(gn, groups=3, eps=0.1)", nn.GroupNorm(3, 12, eps=0.1)),
        ("norm(gn)", nn.GroupNorm(4, 12)),
        ("norm(bn, eps=0.01)", nn.BatchNorm2d(12, eps=0.01)),
    ],
)
def test_norms(text: str, module: nn.Module) -> None:
    stage = blocks(text)
    module.double().eval().load_state_dict(stage.block1.state_dict())
    x = torch.randn(2, 12, 6, 6, dtype=torch.float64)
    of_channels = isinstance(module, nn.LayerNorm)
    expected = module(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) if of_channels else module(x)
    torch.testing.assert_close(stage(x), expected, rtol=0, atol=1e-14)


def test_usual_epsilons_spelled_out_are_the_same_network() -> None:
    for text in ("norm(ln, eps=1e-6)", "norm(bn, eps=1e-5)", "norm(gn, groups=32)", "norm(bn, groups=7)"):
        plain = text.partition(",")[0] + ")"
        assert archdsl.hash(f"stage(64)[{text}]") == archdsl.hash(f"stage(64)[{plain}]")
    assert archdsl.hash("stage(64)[norm(ln, eps=1e-5)]") != archdsl.hash("stage(64)[norm(ln)]")
    with pytest.raises(SpecError, match="groups=7 does not divide the 64 channels"):
        archdsl.compile("stage(64)[norm(gn, groups=7)]")


def test_defaults_reach_what_they_are_for() -> None:
    """Groups are meant for convolutions, epsilons for every norm."""
    model = archdsl.compile(
        "input 4x32x32 defaults(groups=2, eps=1e-3) stage(64)[conv norm T] head norm(ln) gap linear"
    )
    assert model.stage1.block1.groups == 2
    norms = [m for m in model.modules() if isinstance(m, (nn.BatchNorm2d, nn.LayerNorm))]
    assert {m.eps for m in norms} == {1e-3}


@pytest.mark.parametrize(("kind", "module"), [("relu6", nn.ReLU6()), ("hswish", nn.Hardswish())])
def test_activations(kind: str, module: nn.Module) -> None:
    x = torch.linspace(-9, 9, 48, dtype=torch.float64).reshape(1, 12, 2, 2)
    torch.testing.assert_close(blocks(f"act({kind})")(x), module(x), rtol=0, atol=0)


def test_unshuffle() -> None:
    x = torch.arange(12 * 16, dtype=torch.float64).reshape(1, 12, 4, 4)
    y = blocks("unshuffle norm(ln) conv(k=1)")[0](x)
    assert y.shape == (1, 48, 2, 2)
    for channel in range(12):
        for i in range(2):
            for j in range(2):
                torch.testing.assert_close(y[0, 4 * channel + 2 * i + j], x[0, channel, i::2, j::2])
    with pytest.raises(SpecError, match="patches of side 3 do not divide the 32x32 map"):
        archdsl.compile("stage[unshuffle(3)]")


def test_times_and_the_mixer_of_poolformer() -> None:
    mixer = timm.models.metaformer.Pooling()
    x = torch.randn(2, 12, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(blocks("sum[avgpool(k=3, stride=1) times(-1)]")(x), mixer(x), rtol=0, atol=1e-14)
    assert archdsl.hash("stage[times(2)]") == archdsl.hash("stage[times(2.0)]") != archdsl.hash("stage[times(3)]")


def test_grids_are_maxvits() -> None:
    from timm.models.maxxvit import grid_partition, grid_reverse

    stage = blocks("attention(heads=3, grid=2, rel_pos=true)", "3x4x6")
    x = torch.randn(2, 12, 4, 6, dtype=torch.float64)
    layer = stage.block1
    windows = grid_partition(x.permute(0, 2, 3, 1), (2, 2)).flatten(1, 2)
    attended = layer.attend(windows, layer._bias(2)).unflatten(1, (2, 2))
    expected = grid_reverse(attended, (2, 2), (4, 6)).permute(0, 3, 1, 2)
    torch.testing.assert_close(stage(x), expected, rtol=0, atol=1e-13)
    with pytest.raises(SpecError, match="grid 3 does not divide the 32x32 feature map"):
        archdsl.compile("stage[T(grid=3)]")
    with pytest.raises(SpecError, match="grid and window exclude each other"):
        archdsl.compile("stage[T(grid=2, window=2)]")


PIT = """
block shrink(width, stride) = apart[conv(width, k=stride+1, stride=stride, groups=in, bias=true) linear(width)]
stem conv(12) cls
stage(12, heads=2)[T]
stage(24, heads=2)[shrink T]
head norm(ln) cls linear
"""


def test_apart_is_the_pooling_of_pit() -> None:
    model = archdsl.compile("input 3x6x6" + PIT).double().eval()
    theirs = timm.models.pit.Pooling(12, 24, 2).double()
    ours = model.stage2.block1
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(2, 37, 12, dtype=torch.float64)
    grid, token = theirs(x[:, 1:].mT.reshape(2, 12, 6, 6), x[:, :1])
    expected = torch.cat([token, grid.flatten(2).mT], 1)
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-14)
    table = model.architecture
    assert sum(p.numel() for p in model.parameters()) == table.params
    assert [b.cost.out.dims for b in table.stages[1].blocks] == [[10, 24]] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage[apart[conv linear]]", "'apart' needs a class token"),
        ("stem conv(64) cls stage(64)[apart[conv conv linear]]", "takes two items"),
        ("stem conv(64) cls stage(64)[apart[conv(32) linear(64)]]", "the parts of 'apart' do not match"),
        ("stem conv(64) cls stage(64)[apart[gap linear(64)]]", "the parts of 'apart' do not match"),
        ("stem conv(64) cls stage(64)[apart[conv conv]]", "'conv' needs a feature map"),
    ],
)
def test_apart_that_does_not_fit(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        archdsl.compile(text + " head norm(ln) cls linear")


# ---- bodies from timm ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "out", "size", "channels"),
    [("resnet18", 2, 64, 128), ("swin_tiny_patch4_window7_224", 1, 64, 192), ("efficientnet_b0", 3, 64, 112)],
)
def test_timm_body(name: str, out: int, size: int, channels: int) -> None:
    model = archdsl.compile(f'input 3x{size}x{size} stem timm("{name}", out={out}) stage({channels}, stride=1)[C]')
    model.eval()
    config = {"img_size": size} if "swin" in name else {}
    theirs = timm.create_model(name, features_only=True, out_indices=(out,), **config).eval()
    theirs.load_state_dict(model.stem.timm.body.state_dict())
    x = torch.randn(2, 3, size, size)
    expected = theirs(x)[0]
    expected = expected.permute(0, 3, 1, 2) if "swin" in name else expected
    with torch.no_grad():
        torch.testing.assert_close(model.stem(x), expected, rtol=0, atol=1e-6)
    cost = model.architecture.stem[0].cost
    assert cost.out.dims == list(expected.shape[1:])
    assert cost.params == sum(p.numel() for p in theirs.parameters())


def test_timm_body_keeps_timms_initialisation() -> None:
    """Our own rule for convolutions does not reach inside; EfficientNet's draws them otherwise."""
    torch.manual_seed(0)
    weights = (
        archdsl.compile("stem timm(resnet18, out=1) stage(64)[C] head gap linear").stem.timm.body.layer1[0].bn2.weight
    )
    assert weights.abs().max() == 0  # timm begins with the last norm of a block at zero


def test_timm_body_identity_and_text() -> None:
    named = 'stem timm("resnet18.a1_in1k") stage(512, stride=1)[C]'
    assert archdsl.hash(named) == archdsl.hash("stem timm(resnet18, out=4) stage(512, stride=1)[C]")
    assert archdsl.hash(named) != archdsl.hash("stem timm(resnet18, out=4) stage(512)[C C]")
    text = write(resolve(parse(named)))
    assert 'timm("resnet18.a1_in1k"' in text
    assert archdsl.hash(text) == archdsl.hash(named)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('stem timm("resnt18") stage[C]', "1:11: error: timm has no model 'resnt18'\n.*\n.*\n.*\n.*'resnet18'"),
        ('stem timm("resnet18", out=9) stage[C]', "1:23: error: timm's 'resnet18' has features 0 to 4, not 9"),
        ('stem timm("hf-hub:someone/model") stage[C]', "timm has no model 'hf-hub:someone/model'"),
        ('stem timm("local-dir:somewhere") stage[C]', "timm has no model 'local-dir:somewhere'"),
        ("stem timm(5) stage[C]", "'name' takes a name, not 5"),
        ('stage[timm("crossvit_9_240")]', "timm's 'crossvit_9_240' does not take a map of 64x32x32"),
    ],
)
def test_timm_bodies_that_do_not_fit(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        archdsl.compile(text)


def test_a_file_without_timm_imports_none() -> None:
    code = "import archdsl, sys; archdsl.hash('stage[C M]'); print('timm' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_quoted_texts_are_texts() -> None:
    assert archdsl.hash('stage[act("gelu")]') == archdsl.hash("stage[act(gelu)]")
    with pytest.raises(SpecError, match="'\\+' needs numbers"):
        parse('stage[act("re"+1)]')
    with pytest.raises(SpecError, match="'k' takes an integer, not 'a b'"):
        parse('stage[C(k="a b")]')


def test_messages_do_not_disturb_a_terminal() -> None:
    error = archdsl.ArchdslError("written by \x1b[31m2\u00a0", "line\n\tend \x07")
    assert str(error) == "written by  [31m2 \n  = help: line\n\tend  "


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")
def test_a_timm_that_cannot_be_loaded_is_told_at_its_place(tmp_path: Path):
    """Found by fuzzing: too little memory to load PyTorch's libraries."""
    import resource

    (tmp_path / "a.arch").write_text('stage[timm("resnet18")]')
    done = subprocess.run(
        [sys.executable, "-m", "archdsl", "check", "a.arch"], cwd=tmp_path, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "a.arch:1:12: error: timm cannot be loaded: " in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
