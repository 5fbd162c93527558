"""Hostile inputs: constructs that nest, chain, double or repeat, each as large as a given number of characters."""

from __future__ import annotations

import random
from collections.abc import Callable

KILOBYTES_64 = 65_536


def _filled(before: str, piece: str, after: str) -> Callable[[int], str]:
    """One piece of text as often as there is room for it; `%d` in it stands for its number."""

    def make(size: int) -> str:
        length = len(piece % 1000 if "%d" in piece else piece)
        times = max(1, (size - len(before) - len(after)) // length)
        return before + "".join(piece % i if "%d" in piece else piece for i in range(times)) + after

    return make


def _nested(before: str, opening: str, core: str, closing: str, after: str, most: int = 10**9) -> Callable[[int], str]:
    """A construct inside itself."""

    def make(size: int) -> str:
        times = min(most, max(1, (size - len(before + core + after)) // len(opening + closing)))
        return before + opening * times + core + closing * times + after

    return make


def _chained(line: str, last: str, after: str, most: int = 10**9) -> Callable[[int], str]:
    """Definitions each of which uses the next one: `%(this)d` and `%(next)d` stand for their numbers."""

    def make(size: int) -> str:
        times = min(most, max(1, (size - len(last + after)) // len(line % {"this": 1000, "next": 1000})))
        lines = [line % {"this": i, "next": i + 1} for i in range(times)]
        return "\n".join([*lines, last % {"this": times}, after])

    return make


# ---- much of one thing: 64 KB of each construct ------------------------------------------------------------------

FILLED = {
    "stages": _filled("", "stage[C]\n", ""),
    "stages of one pixel": _filled("", "stage(64,stride=1)[C]\n", ""),
    "empty stages": _filled("stage[C]", "stage(64,stride=1)[]\n", ""),
    "stages without bracket": _filled("", "stage\n", ""),
    "blocks": _filled("stage[", "C ", "]"),
    "short blocks": _filled("stage[", "(C)", "]"),
    "blocks with arguments": _filled("stage[", "C(k=3)", "]"),
    "blocks all different": _filled("stage(64)[", "drop(0.%d)", "]"),
    "attention": _filled("stage(64)[", "M(heads=2) ", "]"),
    "transformers": _filled("stage(64)[", "T ", "]"),
    "unknown blocks": _filled("stage[", "X%d ", "]"),
    "one unknown block": _filled("stage[", "X ", "]"),
    "unknown blocks on lines": _filled("stage[", "X\n", "]"),
    "unknown arguments": _filled("stage[C(", "a%d=1,", ")]"),
    "wrong arguments": _filled("stage[", "C(q=1)", "]"),
    "wrong values": _filled("stage[", "C(k=x)", "]"),
    "arguments twice": _filled("stage[C(", "k=3,", ")]"),
    "positional": _filled("stage(", "64,", ")[C]"),
    "defaults": _filled("defaults(", "k=3,", ")stage[C]"),
    "many defaults": _filled("", "defaults(k=3)\n", "stage[C]"),
    "stems": _filled("stem ", "conv(64)", " stage[C]"),
    "heads": _filled("stage[C] head ", "act ", "gap linear"),
    "lets": _filled("", "let A%d=C\n", "stage[C]"),
    "lets used": _filled("let A=C stage[", "A ", "]"),
    "lets twice": _filled("", "let A=C\n", "stage[C]"),
    "lets of numbers": _filled("", "let A%d=1\n", "stage[C]"),
    "lets of choices": _filled("", "let A%d={C|M}\n", "stage[C]"),
    "wrong lets": _filled("", "let A%d=X\n", "stage[C]"),
    "definitions": _filled("", "block b%d=conv\n", "stage[C]"),
    "definitions with parameters": _filled("", "block b%d(k=3)=conv(k=k)\n", "stage[C]"),
    "definitions used": lambda size: _definitions_used(size),
    "definitions of residuals": _filled("", "block b%d=residual[conv]\n", "stage[C]"),
    "wrong definitions": _filled("", "block b%d=X\n", "stage[C]"),
    "definitions twice": _filled("", "block b=conv\n", "stage[b]"),
    "definitions all used": _filled("stage[b1]", "block b%d=conv\n", ""),
    "parameters": _filled("block b(", "p%d=1,", ")=conv stage[b]"),
    "a long definition": _filled("block b = ", "conv ", "stage[b]"),
    "a long residual": _filled("stage[residual[", "conv ", "]]"),
    "residuals": _filled("stage[", "residual[conv]", "]"),
    "wide sum": _filled("stage[sum[", "conv ", "]]"),
    "wide concat": _filled("stage[concat[", "conv ", "]]"),
    "wide concat of groups": _filled("stage[concat[", "(conv)", "]]"),
    "concats": _filled("stage[", "concat[conv conv]", "]"),
    "sums of sums": _filled("stage[sum[", "sum[conv conv]", "]]"),
    "concats that grow": _filled("stage[", "concat[conv(in,k=1) conv(in,k=1)]", "]"),
    "choices": _filled("stage[", "{C|M}", "]"),
    "choices of kernels": _filled("stage[", "C(k={1|3})", "]"),
    "choices different": _filled("stage[", "{C|C(k=%d)}", "]"),
    "options": _filled("stage[{", "C|", "}]"),
    "empty options": _filled("stage[{C", "|", "}]"),
    "options different": _filled("stage[{C", "|C(k=%d)", "}]"),
    "option values": _filled("stage({64", "|64", "})[C]"),
    "option values different": _filled("stage({64", "|%d", "})[C]"),
    "ranges": _filled("stage[", "C(k={1..9 step 2})", "]"),
    "repeat ranges": _filled("stage[", "C*{0..3}", "]"),
    "repeats": _filled("stage[", "C*2 ", "]"),
    "long repeats": _filled("stage[", "C*99 ", "]"),
    "repeats of nothing": _filled("stage[C ", "()*9999 ", "]"),
    "chain of repeats": _filled("stage[C", "*1", "]"),
    "chain of zeros": _filled("stage[C", "*0", "]"),
    "ifs": _filled("block b(k=3)=", "if k>1(conv)", "stage[b]"),
    "if else": _filled("block b(k=3)=", "if k==1(conv)else(norm)", "stage[b]"),
    "ifs of words": _filled("block b(k=x)=conv ", "if k==a%d(conv)", "stage[b]"),
    "ifs of numbers": _filled("block b(k=3)=conv ", "if k==%d(conv)", "stage[b]"),
    "requirements": _filled("stage[C]", "require depth>0\n", ""),
    "counts": _filled("stage[{C|M}]", "require count(M)<2\n", ""),
    "counts of many": _filled("stage[{C|M}*9] require 0 ", "+count(M)", ">=1"),
    "counts by stage": _filled("stage[{C|M}*9] require ", "count(M,stage=1)+", "0>=1"),
    "requirements that fail": _filled("stage[C]", "require depth>9\n", ""),
    "requirements that fail in a space": _filled("stage[{C|M}]", "require depth>9\n", ""),
    "and": _filled("stage[C] require depth>0 ", "and depth>0 ", ""),
    "or": _filled("stage[{C|M}] require depth>9 ", "or depth>9 ", ""),
    "not": _filled("stage[C] require ", "not ", "depth>0"),
    "sum": _filled("stage(64", "+1", ")[C]"),
    "difference": _filled("stage(64", "-0", ")[C]"),
    "product": _filled("stage(64", "*1", ")[C]"),
    "large product": _filled("stage(64", "*99", ")[C]"),
    "quotient": _filled("stage(64", "//1", ")[C]"),
    "signs": _filled("stage(", "-", "64)[C]"),
    "shape": _filled("input 3", "x32", " stage[C]"),
    "long number": _filled("stage(1", "0", ")[C]"),
    "long real": _filled("stage[drop(0.", "1", ")]"),
    "long exponent": _filled("stage[drop(1e-", "1", ")]"),
    "long size": _filled("stage[C] require params<1.", "1", "M"),
    "long name": _filled("stage[", "C", "]"),
    "long model name": _filled("model ", "C", " stage[C]"),
    "long data": _filled("data npz:", "C.", " stage[C]"),
    "long string": _filled('data "', "é", '" stage[C]'),
    "objectives": _filled("stage[C]", "maximize accuracy\n", ""),
    "unknown scores": _filled("stage[C]", "maximize a%d\n", ""),
    "train": _filled("stage[C] train(", "epochs=1,", ")"),
    "unknown train": _filled("stage[C] train(", "e%d=1,", ")"),
    "models": _filled("stage[C]", "model a\n", ""),
    "inputs": _filled("stage[C]", "input 3x8x8\n", ""),
    "comments": _filled("stage[C]", "#\n", ""),
    "long comment": _filled("stage[C]#", "é", ""),
    "comments inside": _filled("stage[", "C#x\n", "]"),
    "comments in values": _filled("stage(64", "#x\n+1", ")[C]"),
    "comments in arguments": _filled("stage[C(k=3,", "#x\n", ")]"),
    "comments above a block": _filled("", "# x\n", "block b=conv stage[b]"),
    "comments above blocks": _filled("", "# x\nblock b%d=conv\n", "stage[C]"),
    "spaces": _filled("stage[C", " ", "]"),
    "line ends": _filled("stage[C", "\n", "]"),
    "carriage returns": _filled("stage[C", "\r", "]"),
    "form feeds": _filled("stage[C", "\f", "]"),
    "byte order marks": _filled("", "\ufeff", "stage[C]"),
    "nothing": _filled("", " ", ""),
    "junk": _filled("stage[", "?", "]"),
    "junk lines": _filled("", "stage[?]\n", ""),
    "other junk": _filled("", "?\n", ""),
    "statements cut off": _filled("", "stage[\n", ""),
    "lets cut off": _filled("", "let\n", ""),
    "quotes": _filled("", '"', ""),
    "quoted lines": _filled("", '"\n', ""),
    "closing": _filled("", "}", ""),
    "closing lines": _filled("", "}\n", ""),
    "closing stages": _filled("", "stage]\n", ""),
    "opening": _filled("", "stage[(\n", ""),
    "keywords": _filled("", "let ", ""),
    "bars": _filled("stage[", "|", "]"),
    "commas": _filled("stage(", ",", ")[C]"),
    "equals": _filled("let", "=", ""),
    "letters": _filled("", "ä ", ""),
    "numbers": _filled("", "1 ", ""),
    "numbers among blocks": _filled("stage[", "1 ", "]"),
    "dots": _filled("stage[", ".", "]"),
    "joined emoji": _filled("stage[", "👩‍👧", "]"),
    "marks": _filled("stage[a", "\u0301", "]"),
}  # fmt: skip


def _definitions_used(size: int) -> str:
    count = size // 24
    blocks = "\n".join(f"block b{i}(k=3)=conv" for i in range(count))
    return f"{blocks}\nstage[{' '.join(f'b{i}' for i in range(count))}]"


# ---- one thing inside itself ---------------------------------------------------------------------------------------

NESTED = {
    "groups": _nested("stage[", "(", "C", ")", "]"),
    "groups that fit": _nested("stage[", "(", "C", ")", "]", 62),
    "choices": _nested("stage[C ", "{", "C", "|M}", "]"),
    "choices that fit": _nested("stage[C ", "{C C ", "C", "|M}", "]", 60),
    "both sides": lambda size: f"stage[{_tree(size, '{', '|', '}')}]",
    "both sides of sums": lambda size: f"stage[{_tree(size, 'sum[', ' ', ']', 'conv')}]",
    "both sides of concats": lambda size: f"stage[{_tree(size, 'concat[', ' ', ']', 'conv(in,k=1)')}]",
    "residuals": _nested("stage[", "residual[", "conv", "]", "]"),
    "residuals that fit": _nested("stage[", "residual[", "conv", "]", "]", 60),
    "full residuals": _nested("stage[", "residual[norm conv ", "conv", " norm conv]", "]", 60),
    "sums that fit": _nested("stage[", "sum[conv ", "conv", "]", "]", 60),
    "concats that fit": _nested("stage[", "concat[conv(in,k=1) ", "conv", "]", "]", 60),
    "repeats that fit": _nested("stage[", "(", "C", ")*1", "]", 60),
    "growing repeats": _nested("stage[", "(", "C", ")*2", "]", 60),
    "vanishing repeats": _nested("stage[C ", "(", "()", ")*2", "]", 60),
    "repeats by holes": _nested("stage[", "(", "C", ")*{1..2}", "]", 60),
    "repeats by holes from nothing": _nested("stage[C ", "(", "C", ")*{0..1}", "]", 60),
    "values": _nested("stage(", "(", "64", ")", ")[C]"),
    "value choices": _nested("stage(", "{", "64", "|32}", ")[C]", 60),
    "value sums": _nested("stage(", "(1+", "64", ")", ")[C]", 60),
    "conditions": _nested("stage[C] require ", "(", "depth>0", ")", "", 60),
    "negated conditions": _nested("stage[C] require ", "not(", "depth>0", ")", "", 60),
    "totals": _nested("stage[C] require ", "(1+", "depth", ")", ">0", 60),
    "ifs": _nested("block b(k=3)=", "if k>1(conv ", "conv", ")", "stage[b]", 60),
    "elses": _nested("block b(k=3)=", "if k<1(conv)else(", "conv", ")", "stage[b]", 60),
    "steps": _nested("stage(", "{1..9 step ", "1", "}", ")[C]"),
}  # fmt: skip


def _tree(size: int, opening: str, between: str, closing: str, leaf: str = "C") -> str:
    text = leaf
    while len(text) * 2 + len(opening + between + closing) < size - 10:
        text = f"{opening}{text}{between}{text}{closing}"
    return text


# ---- definitions that use each other -------------------------------------------------------------------------------

CHAINED = {
    "lets": _chained("let L%(this)d=L%(next)d", "let L%(this)d=C", "stage[L0]"),
    "lets that fit": _chained("let L%(this)d=L%(next)d", "let L%(this)d=C", "stage[L0]", 60),
    "lets with arguments": _chained("let L%(this)d=L%(next)d(k=3)", "let L%(this)d=C", "stage[L0(k=3)]", 60),
    "lets that double": _chained("let L%(this)d=L%(next)d L%(next)d", "let L%(this)d=C", "stage[L0]", 60),
    "lets that double nothing": _chained("let L%(this)d=L%(next)d L%(next)d", "let L%(this)d=()", "stage[C L0]", 60),
    "lets that choose": _chained("let L%(this)d={L%(next)d|L%(next)d}", "let L%(this)d=C", "stage[L0]", 60),
    "lets that choose twice": _chained(
        "let L%(this)d={L%(next)d|C} {L%(next)d|M}", "let L%(this)d={C|M}", "stage[L0]", 60
    ),
    "lets that repeat": _chained("let L%(this)d=L%(next)d*2", "let L%(this)d=C", "stage[L0]", 60),
    "lets that repeat by holes": _chained("let L%(this)d=L%(next)d*{1..2}", "let L%(this)d=C", "stage[L0]", 60),
    "lets that add": _chained("let L%(this)d=0+L%(next)d+L%(next)d", "let L%(this)d=1", "stage(L0)[C]", 60),
    "lets that add little": _chained("let L%(this)d=0+L%(next)d+L%(next)d", "let L%(this)d=1", "stage(L0)[C]", 12),
    "lets that add holes": _chained("let L%(this)d=0+L%(next)d+L%(next)d", "let L%(this)d={1|2}", "stage(L0)[C]", 14),
    "lets that multiply": _chained("let L%(this)d=1*L%(next)d*L%(next)d", "let L%(this)d=9", "stage(L0)[C]", 60),
    "lets that pick": _chained("let L%(this)d={1|L%(next)d|L%(next)d}", "let L%(this)d=9", "stage(L0)[C]", 60),
    "lets in a circle": _chained("let L%(this)d=L%(next)d", "let L%(this)d=L0", "stage[L0]"),
    "lets unused": _chained("let L%(this)d=L%(next)d L%(next)d", "let L%(this)d=C", "stage[C]", 60),
    "many lets unused": _chained("let L%(this)d=L%(next)d L%(next)d", "let L%(this)d=C", "stage[C]"),
    "blocks": _chained("block b%(this)d=b%(next)d", "block b%(this)d=conv", "stage[b0]"),
    "blocks backwards": lambda size: _backwards(size, "block b{1}=b{0} b{0}", "block b0=conv"),
    "blocks backwards by parameter": lambda size: _backwards(
        size, "block b{1}(k=3)=b{0}(k=k) b{0}(k=k)", "block b0(k=3)=conv(k=k)"
    ),
    "blocks backwards once": lambda size: _backwards(size, "block b{1}=b{0}", "block b0=conv"),
    "blocks that fit": _chained("block b%(this)d=b%(next)d", "block b%(this)d=conv", "stage[b0]", 60),
    "blocks that double": _chained("block b%(this)d=b%(next)d b%(next)d", "block b%(this)d=conv", "stage[b0]", 60),
    "blocks that double a little": _chained(
        "block b%(this)d=b%(next)d b%(next)d", "block b%(this)d=conv", "stage[b0]", 10
    ),
    "blocks that double by parameter": _chained(
        "block b%(this)d(k=3)=b%(next)d(k=k) b%(next)d(k=k)", "block b%(this)d(k=3)=conv(k=k)", "stage[b0]", 60
    ),
    "blocks in residuals": _chained(
        "block b%(this)d=residual[b%(next)d b%(next)d]", "block b%(this)d=conv", "stage[b0]", 9
    ),
    "blocks in deep residuals": _chained(
        "block b%(this)d=residual[b%(next)d]", "block b%(this)d=conv", "stage[b0]", 60
    ),
    "blocks in concats": _chained(
        "block b%(this)d=concat[b%(next)d b%(next)d]", "block b%(this)d=conv(in,k=1)", "stage[b0]", 60
    ),
    "blocks in concats after each other": _chained(
        "block b%(this)d=b%(next)d concat[b%(next)d b%(next)d]", "block b%(this)d=conv(in,k=1)", "stage[b0]", 6
    ),
    "blocks in a circle": _chained("block b%(this)d=b%(next)d", "block b%(this)d=b0", "stage[b0]", 60),
    "blocks with holes": _chained("block b%(this)d=b%(next)d {norm|}", "block b%(this)d={conv|norm}", "stage[b0]", 60),
    "blocks with two holes": _chained(
        "block b%(this)d={b%(next)d|b%(next)d}", "block b%(this)d={conv|norm}", "stage[b0]", 60
    ),
    "blocks whose holes double": _chained(
        "block b%(this)d=b%(next)d b%(next)d", "block b%(this)d={conv|norm}", "stage[b0]", 60
    ),
    "blocks whose defaults are holes": _chained(
        "block b%(this)d(k={1|3})=b%(next)d(k=k) b%(next)d", "block b%(this)d(k={1|3})=conv(k=k)", "stage[b0]", 60
    ),
    "blocks by ifs": _chained(
        "block b%(this)d(n=3)=if n>%(this)d(b%(next)d(n=n) b%(next)d(n=n))", "block b%(this)d(n=3)=conv", "stage[b0(n=60)]",
        60,
    ),
    "blocks by repeats": _chained(
        "block b%(this)d(n=9)=b%(next)d(n=n)*n", "block b%(this)d(n=9)=conv", "stage[b0]", 60
    ),
    "blocks by repeats of nothing": _chained(
        "block b%(this)d(n=9)=b%(next)d(n=n)*n", "block b%(this)d(n=9)=conv*(n-9)", "stage[C b0]", 60
    ),
}  # fmt: skip


def _backwards(size: int, line: str, first: str) -> str:
    lines = [first]
    while sum(map(len, lines)) + len(lines) < size - 100:
        lines.append(line.format(len(lines) - 1, len(lines)))
    return "\n".join([*lines, f"stage[b{len(lines) - 1}]"])


ATTACKS = {
    **{f"much: {name}": make for name, make in FILLED.items()},
    **{f"nested: {name}": make for name, make in NESTED.items()},
    **{f"chained: {name}": make for name, make in CHAINED.items()},
}


def attack(rng: random.Random) -> str:
    """One of them at a random size, small ones often."""
    from .bombs import BOMBS, bomb

    names = [*ATTACKS, *BOMBS]
    name = rng.choice(names)
    return ATTACKS[name](int(2 ** rng.uniform(5, 12))) if name in ATTACKS else bomb(name, rng)
