"""Small random spaces with requirements they can nearly reach, for tests that compare counting with enumeration."""

from __future__ import annotations

import random

from archdsl import ir, space
from archdsl.base.errors import SpecError
from archdsl.ir.conditions import truth, value_of
from archdsl.language import parse
from archdsl.network import Architecture

PRELUDE = """
input 3x8x8 classes 4
let A = basic(order=pre)
let B = {C|M}
let D = {C|B|M B}
let H = {1|{2|4}}
let N = {1..2}
let L = msa(heads={1|2})
block g(k=3) = residual[{conv(k=k)|norm conv(k=5)} {act|}]
block w = residual[conv(width//{2|4}, k=1) norm conv(k=1)]
block s = sum[conv {conv|(norm act)}]
stem conv({8|16})
"""
BLOCKS = (
    "C", "M", "A", "B", "B", "D", "L", "L(heads=2)", "M(heads=H)", "g", "g(k=5)", "w", "s", "C*N", "B*{0..2}", "C(k={1|3})",
    "norm", "M(window={4|3})", "conv({16|17},k=1)", "{C|A}", "{C|C}", "{A|C|}", "g*{0|2}", "residual[{norm|act}]",
    "conv(groups={1|2|3})", "M(heads=width//4)",
)  # fmt: skip
STAGES = (
    "(16)", "(16)", "({16|8})", "(16, heads={1|2})", "(8, down={conv|pool})", "(H*8)", "(12, heads=H)", "({8..16 step 4})",
)  # fmt: skip
MEASURES = (
    "params", "macs", "depth", "count(M)", "count(C)", "count(A)", "count(msa)", "count(M, stage=1)", "count(basic)",
)  # fmt: skip
NONLINEAR = (
    "count(M) * count(C)",
    "params // 1000",
    "macs / params",
    "depth * depth - count(M)",
    "1 / count(M)",
    "2 - 3*count(C) / (depth - 3)",
    "(count(M)-1)/count(C)*0.5 + 1",
)


def items(rng: random.Random, depth: int = 0) -> str:
    """A sequence of blocks with holes in it."""
    kind = rng.random()
    if depth == 2 or kind < 0.6:
        return rng.choice(BLOCKS)
    if kind < 0.7:
        return f"({items(rng, depth + 1)} {items(rng, depth + 1)})"
    if kind < 0.9:
        options = [
            " ".join(items(rng, depth + 1) for _ in range(rng.choice((0, 1, 1, 2))))
            for _ in range(rng.choice((2, 2, 3)))
        ]
        return f"{{{'|'.join(options)}}}"
    return f"({items(rng, depth + 1)})*{rng.choice(('2', '{1..2}', '{0|2}', 'N', '(N+1)'))}"


def sums(rng: random.Random, depth: int = 0) -> str:
    """A weighted sum of measures."""
    if depth == 2 or rng.random() < 0.5:
        return rng.choice(MEASURES)
    if rng.random() < 0.5:
        return f"({sums(rng, depth + 1)} {rng.choice('+-')} {sums(rng, depth + 1)})"
    return rng.choice(("2 * {}", "0.1 * {}", "{} * 3", "{} / 3", "{} / 0.7", "({} - 5)", "(0 - {})")).format(
        sums(rng, depth + 1)
    )


def condition(rng: random.Random, text: str, fitting: list[Architecture], nonlinear: bool) -> str:
    """A comparison whose bound some member just reaches, or nearly so."""
    left = rng.choice(NONLINEAR) if nonlinear and rng.random() < 0.5 else sums(rng)
    comparison = parse(f"{text}\nrequire {left} <= 0").require[0]
    if not isinstance(comparison, ir.Comparison):
        raise TypeError
    member = rng.choice(fitting)
    low, high = -1e15, 1e15
    while high - low > 0.25 and high != low:  # the value of the left side, by halving
        middle = round((low + high) * 4) / 8
        probe = comparison.model_copy(update={"right": middle})
        low, high = (low, middle) if truth(probe, lambda m: value_of(m, member)) else (middle, high)
        if high - low <= 0.25:
            break
    bound = round(high * 4) / 4 if rng.random() < 0.3 else round(high) + rng.choice((0, 0, 0, -1, 1))
    written = f"(0 - {-bound})" if bound < 0 else str(bound)
    return f"{left} {rng.choice(('<=', '>=', '<', '>', '==', '!='))} {written}"


def small_space(seed: int, nonlinear: bool = False, most: int = 150) -> str | None:
    """The text of a space of 2 to `most` fillings; None when this seed gives none."""
    rng = random.Random(seed)
    stages = [
        f"stage{rng.choice(STAGES)}[{' '.join(items(rng) for _ in range(rng.randint(1, 3)))}]"
        for _ in range(rng.randint(1, 2))
    ]
    text = PRELUDE + "\n".join(stages) + "\nhead {norm|} gap linear"
    try:
        spec = parse(text)
    except SpecError:
        return None
    if not 1 < space.size(spec) <= most:
        return None
    fitting = [found for found in space.fillings(spec) if isinstance(found, Architecture)]
    if not fitting:
        return text
    said = []
    for _ in range(rng.randint(0, 3)):
        single = condition(rng, text, fitting, nonlinear)
        said.append(f"not ({single})" if rng.random() < 0.2 else single)
    if len(said) > 1 and rng.random() < 0.6:
        said = [f"({said[0]} {rng.choice(('and', 'or'))} {said[1]})", *said[2:]]
    return text + "".join(f"\nrequire {one}" for one in said)
