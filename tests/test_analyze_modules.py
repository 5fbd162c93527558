"""`analyze` of any module: which blocks are found in it, what it has without any, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from small_networks import hybrid, one_thread  # noqa: F401
from torch import nn

import archdsl
from archdsl.analyses.subjects.modules import candidates, find_units, guess_kind
from archdsl.base.errors import DataError, RunError, UnknownNameError, UsageError
from archdsl.data import load


class Plain(nn.Module):
    """Two blocks in a list, and a head."""

    def __init__(self, broken: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 4, 4)
        self.parts = nn.ModuleList([Convs(), Mixer()])
        self.head = nn.Linear(8, 10)
        self.broken = broken

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for part in self.parts:
            x = part(x)
        return self.head(x.mean((2, 3))) + self.broken


class Convs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.two(torch.relu(self.one(x)))


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).mT
        tokens = tokens + self.mlp(self.attention(tokens, tokens, tokens)[0])
        return tokens.mT.reshape(x.shape)


def test_any_module(little: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Plain().train()
    options: dict[str, Any] = {"data": f"npz:{little}", "only": ["fourier", "lesion"], "batches": 2, "device": "cpu"}
    found = archdsl.analyze(model, **options)
    assert {"high_freq", "smoothing_contrast", "lesion_conv", "lesion_msa"} <= set(found["scores"])
    assert "files" not in found  # nothing is written unless a folder is named
    assert model.training
    named = archdsl.analyze(model, blocks=["parts.0", model.parts[1]], **options)
    assert named["scores"] == found["scores"]
    said = archdsl.analyze(model, blocks={"parts.0": "mlp"}, **options, out=str(tmp_path))
    assert set(said["scores"]) == {"high_freq", "lesion_mlp", "lesion_end_mlp"}
    assert (tmp_path / "analysis.html").stat().st_size > 10_000


class Once(torch.autograd.Function):
    """A function that somebody wrote without a second derivative."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return 2 * g * ctx.saved_tensors[0]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: torch.ops.aten.hardsigmoid(x), "the function 'hardsigmoid' has no second derivative"),
        (Once.apply, "is not symmetric"),
    ],
)
def test_a_layer_without_second_derivative_ends_its_analysis_alone(function: Any, text: str, little: Path) -> None:
    model = Plain()
    model.head = nn.Sequential(nn.Linear(8, 8), Called(function), nn.Linear(8, 10))
    said: list[str] = []
    options: dict[str, Any] = {"data": f"npz:{little}", "batches": 1, "batch_size": 4, "device": "cpu"}
    found = archdsl.analyze(model, say=said.append, **options)["scores"]
    assert {"accuracy", "high_freq", "lesion_conv", "landscape_rise", "noise_tilt"} <= set(found)
    assert "log_ape" not in found
    assert any(line.startswith("hessian: left out: ") and text in line for line in said)
    with pytest.raises(RunError, match=text):
        archdsl.analyze(model, only=["hessian"], **options)


class Called(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("blocks", "error", "text"),
    [
        (["part.0"], UsageError, "no block 'part.0'"),
        ([nn.Linear(2, 2)], UsageError, "class Linear is no part"),
        ({"parts.0": "attention"}, UsageError, "said to be 'attention'"),
        (["head"], UsageError, r"'head' gives a tensor \(5, 10\)"),
        ("head", UsageError, r"'head' gives a tensor \(5, 10\)"),
        (["parts.1.attention.out_proj"], UsageError, "was not run"),
        ([], UsageError, "blocks= names none"),
    ],
)
def test_wrong_blocks(blocks: Any, error: type[Exception], text: str, little: Path) -> None:
    with pytest.raises(error, match=text):
        archdsl.analyze(Plain(), blocks=blocks, data=f"npz:{little}", device="cpu")


def test_modules_that_do_not_fit_the_data(little: Path) -> None:
    options: dict[str, Any] = {"data": f"npz:{little}", "device": "cpu", "only": ["quality"]}
    with pytest.raises(DataError, match="does not take the images"):
        archdsl.analyze(timm.create_model("resnet10t", num_classes=10), **options)
    model = Plain()
    model.head = nn.Linear(8, 4)
    with pytest.raises(DataError, match="4 outputs"):
        archdsl.analyze(model, **options)
    with pytest.raises(RunError, match="not finite"):
        archdsl.analyze(Plain(broken=float("nan")), **options)
    for only in (["qualty"], "qualty"):
        with pytest.raises(UnknownNameError, match="unknown analysis 'qualty'"):
            archdsl.analyze(Plain(), data=f"npz:{little}", only=only)
    with pytest.raises(UsageError, match=r"measure model.float\(\)"):
        archdsl.analyze(Plain().bfloat16(), **options)


def test_what_looks_at_no_blocks_needs_none(little: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
    said: list[str] = []
    options: dict[str, Any] = {
        "data": f"npz:{little}",
        "batches": 1,
        "batch_size": 4,
        "device": "cpu",
        "say": said.append,
    }
    found = archdsl.analyze(model, only=["quality", "hessian"], **options)["scores"]
    assert {"accuracy", "lambda_max"} <= set(found)
    assert said == ["quality: done", "hessian: done"]
    found = archdsl.analyze(model, out=tmp_path, **options)
    assert {"accuracy", "lambda_max", "landscape_rise", "noise_tilt"} <= set(found["scores"])
    assert not {"cka", "fourier", "variance", "lesion"} & {Path(file).stem for file in found["files"]}
    assert any("cka, fourier, lesion, variance: left out: no blocks are found" in line for line in said)
    assert any("blocks=[" in line for line in said)
    assert "quality" in (tmp_path / "analysis.html").read_text()
    with pytest.raises(UsageError, match="no blocks are found") as caught:
        archdsl.analyze(model, only=["fourier", "quality"], **options)
    assert "blocks=" in str(caught.value)
    assert caught.value.finished is not None
    assert set(caught.value.finished["scores"]) == {"accuracy", "nll", "ece"}


def test_weights_of_float64(little: Path) -> None:
    torch.manual_seed(0)
    model = Plain()
    options: dict[str, Any] = {"data": f"npz:{little}", "batches": 2, "batch_size": 8, "device": "cpu"}
    single = archdsl.analyze(model, **options)
    double = archdsl.analyze(model.double(), **options)
    assert set(double["scores"]) == set(single["scores"])
    for name, value in single["scores"].items():
        assert double["scores"][name] == pytest.approx(value, rel=2e-3, abs=2e-4), name
    assert model.head.weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("name", "size", "count", "stages", "labels", "first"),
    [
        ("resnet10t", 32, 4, 4, "C", "layer1.0"),
        ("vit_tiny_patch16_224", 224, 12, 1, "M", "blocks.0"),
        ("test_mambaout", 64, 4, 4, "C", "stages.0.blocks.0"),
        ("test_convnext", 64, 4, 4, "C", "stages.0.blocks.0"),
        ("swin_tiny_patch4_window7_224", 224, 12, 4, "M", "layers.0.blocks.0"),
    ],
)
def test_the_blocks_of_timms_models(name: str, size: int, count: int, stages: int, labels: str, first: str) -> None:
    if name not in timm.list_models():
        pytest.skip(f"this timm has no {name}")
    units = find_units(timm.create_model(name, num_classes=10), _images(size), None, print)
    assert units[0].path == first
    assert {unit.label for unit in units} == set(labels)
    assert len({unit.stage for unit in units}) == stages
    assert len(units) >= count
    if name.startswith("swin"):
        assert all(unit.channels_last for unit in units)
    if name.startswith("vit"):
        assert (units[0].grid, units[0].prefix) == ((14, 14), 1)


def _images(size: int) -> Any:
    from archdsl.data.dataset import Dataset, Split

    split = Split(torch.zeros(4, 3, size, size, dtype=torch.uint8), torch.arange(4))
    return Dataset("nothing", 4, split, split, split, (0.5,) * 3, (0.3,) * 3, True, "0" * 64)


def test_kinds_are_guessed_by_what_is_inside() -> None:
    assert [guess_kind(part) for part in (Convs(), Mixer(), nn.Sequential(nn.Linear(2, 2)))] == ["conv", "msa", "mlp"]
    assert candidates(nn.Sequential(nn.Sequential(Convs(), Convs()), nn.Conv2d(8, 8, 1))) == ["0.0", "0.1"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Attention", "msa"), ("LePEAttn", "msa"), ("GPSA", "msa"), ("MHSA", "msa"), ("XCA", "msa"), ("LiteMLA", "msa"),
        ("SqueezeExciteAttn", "mlp"), ("ChannelAttn", "mlp"), ("ConvAttention", "mlp"), ("Mlp", "mlp"),
    ],
)  # fmt: skip
def test_what_counts_as_self_attention_by_its_name(name: str, kind: str) -> None:
    named = type(name, (nn.Linear,), {})
    assert guess_kind(nn.Sequential(named(2, 2), nn.Linear(2, 2))) == kind


class Scaled(Plain):
    """An attribute, which neither the weights nor the printed structure show, decides what it computes."""

    factor = 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = super().forward(self.factor * x)
        return logits


def test_another_module_with_the_same_weights_is_measured_again(little: Path, tmp_path: Path) -> None:
    model, said = Scaled(), list[str]()
    options: dict[str, Any] = {
        "data": f"npz:{little}", "device": "cpu", "only": "variance", "out": tmp_path, "say": said.append,
        "batches": 1, "batch_size": 4,
    }  # fmt: skip
    first = archdsl.analyze(model, **options)["scores"]
    assert archdsl.analyze(model, **options)["scores"] == first
    assert said.count("variance: kept from before") == 1
    model.factor = 3.0
    other = archdsl.analyze(model, **options)["scores"]
    assert said.count("variance: done") == 2
    assert other != first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batches": 0}, "batches is 0"),
        ({"batch_size": -1}, "batch_size is -1"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str, little: Path) -> None:
    with pytest.raises(UsageError, match=message):
        archdsl.analyze(Plain(), data=f"npz:{little}", device="cpu", **options)


def test_whatever_a_forward_raises_is_told(little: Path) -> None:
    class Short(Plain):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return [x][len(x)]

    with pytest.raises(DataError, match=r"does not take the images of '.*', 1x28x28: list index out of range"):
        archdsl.analyze(Short(), data=f"npz:{little}", device="cpu")


def test_a_module_of_three_weights_has_three_eigenvalues(little: Path, tmp_path: Path) -> None:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([1.0, -0.5, 0.3]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :3].mul(self.scale).repeat(1, 4)[:, :10]

    found = archdsl.analyze(
        Three(), data=f"npz:{little}", device="cpu", only="hessian", batches=1, batch_size=4, out=tmp_path
    )
    assert found["scores"]["lambda_max"] > 0
    assert np.load(tmp_path / "hessian.npz")["eigenvalues"].shape == (1, 3)


def test_channels_last_maps_are_the_same_maps() -> None:
    class Last(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.permute(0, 2, 3, 1)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block, self.turn, self.head = nn.Conv2d(1, 6, 3, padding=1), Last(), nn.Linear(6, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.turn(self.block(x)).mean((1, 2)))

    from archdsl.analyses import fourier

    model, data = Whole(), load("fashion")
    units = find_units(model, data, {"block": "conv", "turn": "conv"}, print)
    assert [unit.channels_last for unit in units] == [False, True]
    found = fourier.measure(model, [(torch.rand(3, 1, 28, 28), torch.zeros(3))], units)
    assert np.allclose(found.units[0].after, found.units[1].after)


class Pixel(nn.Module):
    """Two blocks on maps of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 28)
        self.parts = nn.Sequential(Convs(), Convs())
        self.head = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.parts(self.stem(x)).flatten(1))


def test_maps_of_one_pixel(little: Path) -> None:
    said: list[str] = []
    options: dict[str, Any] = {
        "data": f"npz:{little}",
        "device": "cpu",
        "batches": 1,
        "batch_size": 8,
        "say": said.append,
    }
    found = archdsl.analyze(Pixel(), only=["lesion", "cka"], **options)
    assert {"lesion_conv", "cka_neighbours"} <= set(found["scores"])
    for name in ("fourier", "variance"):
        with pytest.raises(RunError, match="no block has a map larger than 1 x 1"):
            archdsl.analyze(Pixel(), only=[name], **options)
