"""The hash: equal for the same network or space however it is written, different otherwise, and stable for ever."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import archdsl
from archdsl.base import resources
from archdsl.language import parse
from archdsl.network.identity import spec_hash

GOLDEN = Path(__file__).parent / "fixtures" / "hashes.json"

SAME = {
    "repeats": ("stage[(C M)*2]", "stage[C M C M]"),
    "groups": ("stage[(C (M))]", "stage[C M]"),
    "let of a block": ("let B = msa stage[B]", "stage[M]"),
    "let of a sequence": ("let P = C M let Q = P*2 stage[Q]", "stage[C M C M]"),
    "let of a value": ("let H = 2*4 stage[M(heads=H)]", "stage[M(heads=8)]"),
    "let of a word": ("let A = gelu stage[C(act=A)]", "stage[C(act=gelu)]"),
    "letters": ("stage[C M T]", "stage[basic(order=pre) msa transformer]"),
    "a redefined letter": ("let C = bottleneck stage[C]", "stage[bottleneck]"),
    "comments and spacing": ("# one\nstage\t[ C ]  # two\n", "stage[C]"),
    "unsaid statements": ("stage[C]", "input 3x32x32 classes 10 stem conv(64) stage(64)[C] head norm act gap linear"),
    "default arguments": (
        "stage[C M]",
        "stage(64, stride=1)[C(k=3, act=relu, stride=1) M(heads=4, window=none, rel_pos=true)]",
    ),
    "an integer for a real": ("stage[T]", "stage[T(mlp_ratio=4)]"),
    "arguments of the stage": ("stage(64, heads=8)[M C M]", "stage(64)[M(heads=8) C M(heads=8)]"),
    "arguments of the file": ("defaults(heads=8) stage[M]", "stage[M(heads=8)]"),
    "positions and names": ("stem conv(64) stage(64)[C]", "stem conv(width=64) stage(width=64)[C]"),
    "width written out": ("stage(64)[C] stage[M(heads=width//32)]", "stage[C] stage(128)[M(heads=4)]"),
    "an unused let": ("let X = M stage[C]", "stage[C]"),
    "braces that decide nothing": ("stage[{C} M(heads={4})]", "stage[C M]"),
    "the name": ("model a stage[C]", "model b stage[C]"),
    "requirements": ("stage[C] require depth == 1", "stage[C]"),
    "objectives": ("stage[C] maximize accuracy minimize params", "stage[C]"),
    "data and training": ("stage[C] data cifar10 train(epochs=3, lr={1e-4..1e-3 log})", "stage[C]"),
}
DIFFERENT = [
    "stage[C]",
    "stage[M]",
    "stage[C C]",
    "stage[C M]",
    "stage[M C]",
    "stage(32)[C]",
    "stage[C(k=5)]",
    "stage[basic]",
    "stage[C] stage[C]",
    "stage[C] stage(64, stride=1)[C]",
    "stage[C] stage[M]",
    "stage[C] stage(down=conv)[M]",
    "stem conv(32) stage[C]",
    "stem conv(64) norm stage[C]",
    "stage[C] head gap linear",
    "stage[C] head norm act gap linear(bias=false)",
    "input 3x16x16 stage[C]",
    "input 1x32x32 stage[C]",
    "classes 9 stage[C]",
    "stage[{C|M}]",
    "stage[{M|C}]",
    "stage[{C|M|}]",
    "stage[{C|M} {C|M}]",
    "let B = {C|M} stage[B B]",
    "stage[C*{1..2}]",
    "stage[C*{1..3}]",
    "stage({32|64})[C]",
    "stage({32|65})[C]",
    "stage(64, heads={2|4})[{C|M}]",
    "stage[{C|M(heads={2|4})}]",
]


@pytest.mark.parametrize("name", SAME)
def test_the_same_network_has_the_same_hash(name: str) -> None:
    one, other = SAME[name]
    assert archdsl.hash(one) == archdsl.hash(other)


@pytest.mark.parametrize("name", sorted(SAME.keys() - {"width written out"}))
def test_the_same_space_has_the_same_hash(name: str) -> None:
    choice = " stage(8)[{basic(k=7)|norm}]"
    one, other = (re.sub(r"( head\b.*|\Z)", rf"{choice}\1", text, count=1) for text in SAME[name])
    assert spec_hash(parse(one)) == spec_hash(parse(other))
    assert spec_hash(parse(one)) != archdsl.hash(SAME[name][0])


def test_holes_go_by_their_place_not_by_their_name() -> None:
    assert archdsl.hash("let B = {C|M} stage[B B]") == archdsl.hash("let Z = {C|M} stage[Z Z]")
    assert archdsl.hash("let B = {C|M} stage[B C]") == archdsl.hash("stage[{C|M} C]")


def test_different_networks_and_spaces_have_different_hashes() -> None:
    hashes = [archdsl.hash(text) for text in DIFFERENT]
    assert len(set(hashes)) == len(hashes)
    assert all(len(h) == 64 and set(h) <= set("0123456789abcdef") for h in hashes)


def test_stable_across_processes() -> None:
    code = "import archdsl; print(*[archdsl.hash(t) for t in ('alternet_50', 'stage(64, act={relu|gelu})[{C|M}*2]')])"
    said = set()
    for seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        said.add(done.stdout)
    assert len(said) == 1


def hashes() -> dict[str, str]:
    """The hash of every shipped spec."""
    return {name: archdsl.hash(path) for name, path in resources.shipped_specs().items()}


def test_stable_across_releases() -> None:
    """The hashes key every cache: they change with the language version, or when the spec itself does."""
    assert hashes() == json.loads(GOLDEN.read_text())


if __name__ == "__main__" and "--write" in sys.argv:
    GOLDEN.write_text(json.dumps(hashes(), indent=1) + "\n")
