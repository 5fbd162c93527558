"""A compiled spec is the network a researcher would have written: same outputs, same operators, one graph, drawn weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import archdsl

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from by_hand import BY_HAND, carry
from zoo import operators, stepper

# Every kind of module in a small network.
ALL_KINDS = """
input 3x32x32
classes 10
block paths = concat[conv(width//2) (conv(width//2, k=1) se(4))] sum[conv times(0.5)]
stem conv(16, k=4, stride=2, pad=1, bias=true) norm(gn) act(hswish)
stage(16)             [C basic bottleneck mbconv convnext paths]
stage(32, heads=2)    [M(window=4) T(window=4, shift=true) T(grid=4) T(local=3) mixer residual(shortcut=pool)[conv norm]]
stage(64, down=conv)  [unshuffle norm(ln) linear(64) M pos scale drop]
head norm(ln) gap linear
"""
WITH_TOKEN = """
input 3x32x32
classes 10
stem patch(16, k=4) cls pos
stage(16, heads=2) [T*2]
stage(32, heads=2) [apart[conv(width, k=3, stride=stride, groups=in, bias=true) linear(width)] T]
head norm(ln) cls linear
"""


@pytest.fixture
def garbage_in_new_memory() -> Iterator[None]:
    """PyTorch fills memory that nothing was written to with NaN."""
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.empty(3).isnan().all()
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("garbage_in_new_memory")
@pytest.mark.parametrize("text", [ALL_KINDS, WITH_TOKEN, "stem timm(resnet18, out=1) stage(64, stride=1)[C M]"])
def test_every_weight_is_drawn(text: str) -> None:
    """Convolutions and linear layers are not drawn when they are made, so our rule must reach all of them."""
    model = archdsl.compile(text)
    left = [name for name, tensor in model.state_dict().items() if not tensor.isfinite().all()]
    assert left == []
    constant = [n for n, p in model.named_parameters() if p.dim() > 1 and p.numel() > 16 and p.std() == 0]
    assert [n for n in constant if "timm" not in n] == []


@pytest.mark.parametrize("name", BY_HAND)
def test_the_network_written_by_hand(name: str) -> None:
    torch.manual_seed(0)
    ours, theirs = archdsl.compile(name), BY_HAND[name]()
    for tensor in ours.state_dict().values():
        if tensor.is_floating_point():
            nn.init.uniform_(tensor, 0.01, 0.1)
    carry(ours, theirs)
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([1, 2])
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))
    counted = [operators(stepper(network.train(), images, labels)) for network in (ours, theirs)]
    assert counted[0] == counted[1]


@pytest.mark.parametrize("text", [ALL_KINDS, WITH_TOKEN, "alternet_18"])
def test_one_graph(text: str) -> None:
    """Nothing in a compiled spec breaks a graph, forward or backward."""
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = archdsl.compile(text).eval()
    images = torch.randn(2, 3, 32, 32)
    expected = model(images)
    expected.sum().backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    found = torch.compile(model, fullgraph=True, backend="aot_eager")(images)
    found.sum().backward()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert len(gradients) == len(list(model.parameters()))
    for gradient, parameter in zip(gradients, model.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-5)
