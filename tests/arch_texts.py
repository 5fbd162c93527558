"""Random `.arch` texts for property tests: `texts()` follow the grammar, most of `specs()` mean something too.

Both come with odd spacing: comments wherever a blank may stand, line ends of three kinds, tabs, no blanks at all.
`spaced(text)` gives any text that follows the grammar such a spacing; `plain_texts()` and `plain_specs()` have none.

    @given(arch_texts.specs())
    def test_something(text: str) -> None: ...
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from itertools import pairwise

import lark
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from archdsl.base import resources

WORDS = ("C", "M", "T", "conv", "norm", "act", "width", "relu", "k", "x1", "_a", "model2", "Long_name_of_a_block")
DEPTH = 3  # how deep brackets stand in each other

_number = st.sampled_from(["0", "1", "2", "3", "64", "192", "0.5", "1e-3", "2.5e+2"])
_size = st.sampled_from(["2M", "1.5K", "3G"])
_shape = st.sampled_from(["3x32x32", "1x8x8", "2x2"])
_name = st.sampled_from(WORDS)
_data = st.sampled_from(["fashion", "cifar-10", "npz:a/b.npz", '"npz:my (#1) data"', '""'])
_compare = st.sampled_from(["<=", ">=", "==", "!=", "<", ">"])
_line_end = st.sampled_from(["\n", "\n\n", "\r\n", "\n\n\n\n", " \n\t", "\n \n"])
_comment_text = st.one_of(
    st.sampled_from(
        ["", "word", " a comment", "!right", "# twice", " stage[C", " ]})", ' "quoted', "\ttab", " 64 -> 128"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12),
)


# ---- Texts that follow the grammar -----------------------------------------------------------------------------


def plain_texts() -> SearchStrategy[str]:
    """Any statements in any order, whatever they mean."""
    return st.lists(_statement(), min_size=1, max_size=6).map("\n".join)


def texts() -> SearchStrategy[str]:
    """The same, spaced oddly."""
    return plain_texts().flatmap(spaced)


@st.composite
def _statement(draw: DrawFn) -> str:
    kind = draw(st.sampled_from(_STATEMENTS))
    name = draw(_name)
    if kind in ("model", "maximize", "minimize"):
        return f"{kind} {name}"
    if kind == "input":
        return f"input {draw(_shape)}"
    if kind == "classes":
        return f"classes {draw(_value(DEPTH))}"
    if kind in ("defaults", "train"):
        return f"{kind}({draw(_arguments(DEPTH))})"
    if kind == "let":
        return f"let {name} = {draw(st.one_of(_sequence(DEPTH), _let_number()))}"
    if kind == "block":
        return f"block {name}{draw(_parameters())} = {draw(_sequence(DEPTH))}"
    if kind == "stage":
        return f"stage{draw(_call(DEPTH))}[{draw(_sequence(DEPTH))}]"
    if kind == "require":
        return f"require {draw(_condition(DEPTH))}"
    if kind == "data":
        return f"data {draw(_data)}"
    return f"{kind} {draw(_sequence(DEPTH))}"


_STATEMENTS = (
    "stage", "stage", "stage", "model", "input", "classes", "defaults", "let", "let", "block", "block", "stem", "head",
    "require", "maximize", "minimize", "data", "train",
)  # fmt: skip


@st.composite
def _sequence(draw: DrawFn, depth: int) -> str:
    return " ".join(draw(st.lists(_item(depth), max_size=5 if depth == DEPTH else 3)))


@st.composite
def _item(draw: DrawFn, depth: int) -> str:
    kind = draw(
        st.sampled_from(["block", "call", "repeat", "group", "choice", "structure", "if"] if depth else ["block"])
    )
    inner = _sequence(depth - 1)
    if kind == "block":
        return draw(_name)
    if kind == "call":
        return f"{draw(_name)}({draw(_arguments(depth - 1))})"
    if kind == "repeat":
        return f"{draw(_item(depth - 1))}*{draw(_times(depth - 1))}"
    if kind == "group":
        return f"({draw(inner)})"
    if kind == "choice":
        return "{" + "|".join(draw(st.lists(inner, min_size=1, max_size=3))) + "}"
    if kind == "structure":
        name = draw(st.sampled_from(["residual", "sum", "concat", "other"]))
        return f"{name}{draw(_call(depth - 1))}[{draw(inner)}]"
    test = f"{draw(_value(depth - 1))} {draw(_compare)} {draw(_value(depth - 1))}"
    otherwise = draw(st.one_of(st.just(""), inner.map(" else ({})".format)))
    return f"if {test} ({draw(inner)}){otherwise}"


def _times(depth: int) -> SearchStrategy[str]:
    return st.one_of(st.sampled_from(["2", "3", "2K", "n"]), _hole(depth), _value(depth).map("({})".format))


def _call(depth: int) -> SearchStrategy[str]:
    return st.one_of(st.just(""), _arguments(depth).map("({})".format))


@st.composite
def _arguments(draw: DrawFn, depth: int) -> str:
    named = st.builds("{}={}".format, _name, _value(depth))
    return _listed(draw(st.lists(st.one_of(_value(depth), named), max_size=4)), draw(st.booleans()))


@st.composite
def _parameters(draw: DrawFn) -> str:
    with_default = st.builds("{}={}".format, _name, _value(DEPTH))
    found = draw(st.one_of(st.none(), st.lists(st.one_of(_name, with_default), max_size=4)))
    return "" if found is None else f"{draw(st.sampled_from(['', ' ']))}({_listed(found, draw(st.booleans()))})"


def _listed(parts: Sequence[str], comma: bool) -> str:
    return ", ".join(parts) + ("," if comma and parts else "")


@st.composite
def _value(draw: DrawFn, depth: int) -> str:
    plain = st.one_of(_number, _name, _size)
    kind = draw(st.sampled_from(["plain", "plain", "shape", "binary", "hole", "group", "sign"] if depth else ["plain"]))
    if kind == "shape":
        return draw(_shape)
    if kind == "hole":
        return draw(_hole(depth - 1))
    return draw(plain) if kind == "plain" else draw(_calculated(kind, depth, plain))


@st.composite
def _calculated(draw: DrawFn, kind: str, depth: int, leaf: SearchStrategy[str]) -> str:
    """Arithmetic; a shape cannot stand in it."""
    if not depth or kind == "plain":
        return draw(leaf)
    inner = st.sampled_from(["plain", "binary", "group", "sign"]).flatmap(lambda k: _calculated(k, depth - 1, leaf))
    if kind == "binary":
        operator = draw(st.sampled_from(["+", "-", "*", "/", "//", " + ", " // "]))
        return f"{draw(inner)}{operator}{draw(inner)}"
    return f"({draw(inner)})" if kind == "group" else f"{draw(st.sampled_from('+-'))}{draw(inner)}"


@st.composite
def _hole(draw: DrawFn, depth: int, first: SearchStrategy[str] | None = None) -> str:
    value = _value(depth)
    low = draw(value if first is None else first)
    kind = draw(st.sampled_from(["choice", "range", "step", "log"]))
    if kind == "choice":
        return "{" + "|".join([low, *draw(st.lists(value, max_size=3))]) + "}"
    end = {"range": "", "log": " log", "step": f" step {draw(value)}"}[kind]
    return f"{{{low}..{draw(value)}{end}}}"


def _let_number() -> SearchStrategy[str]:
    """What a `let` names when it names no blocks: it begins with a number."""
    literal = st.one_of(_number, _size)
    calculated = st.builds("{}{}{}".format, literal, st.sampled_from(["+", "*", "//"]), literal)
    return st.one_of(literal, _shape, calculated, st.builds("-{}".format, literal), _hole(1, literal))


@st.composite
def _condition(draw: DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from(["comparison", "and", "or", "not", "group"] if depth else ["comparison"]))
    if kind == "comparison":
        return f"{draw(_total(depth))} {draw(_compare)} {draw(_total(depth))}"
    inner = _condition(depth - 1)
    if kind in ("and", "or"):
        return f"{draw(inner)} {kind} {draw(inner)}"
    return f"not {draw(_condition(0))}" if kind == "not" else f"({draw(inner)})"


def _total(depth: int) -> SearchStrategy[str]:
    kinds = st.sampled_from(["plain", "binary", "group", "sign"])
    measure = st.builds("{}({})".format, st.sampled_from(["count", "k"]), _arguments(max(depth - 1, 0)))
    leaf = st.one_of(st.sampled_from(["params", "macs", "depth", "latency_ms"]), _number, _size, measure)
    return kinds.flatmap(lambda kind: _calculated(kind, depth, leaf))


# ---- Texts that mean something ---------------------------------------------------------------------------------


@st.composite
def plain_specs(draw: DrawFn) -> str:
    """Models and spaces that are small; most are right in names, types and shapes."""
    lets = draw(st.lists(st.sampled_from(sorted(_LETS)), unique=True, max_size=3))
    blocks = draw(st.lists(st.sampled_from(sorted(_BLOCKS)), unique=True, max_size=2))
    named = [name for name in (*lets, *blocks) if name not in ("H", "W")]
    loose = [f"let {name} = {_LETS[name]}" for name in lets]
    loose += [f"block {name}{_BLOCKS[name]}" for name in blocks]
    loose += draw(st.lists(st.sampled_from(_LOOSE), unique_by=lambda text: re.split(r"[ (]", text)[0], max_size=3))
    loose += draw(st.lists(st.sampled_from(_REQUIRE), max_size=2))
    widths = st.sampled_from(["16", "32", "2*16", "{16|32}", "{16..48 step 16}"] + ["W"] * ("W" in lets))
    stages = draw(st.lists(_spec_stage(widths, tuple(named), "H" in lets), min_size=1, max_size=3))
    chain = [draw(st.sampled_from(_STEMS)), *stages, draw(st.sampled_from(_HEADS))]
    statements = draw(st.permutations(loose))
    at = draw(st.integers(0, len(statements)))
    return "\n".join(filter(None, [*statements[:at], *chain, *statements[at:]]))


def specs() -> SearchStrategy[str]:
    """The same, spaced oddly."""
    return plain_specs().flatmap(spaced)


_LETS = {
    "A": "msa(window=4)",
    "B": "{C|M}",
    "C": "bottleneck(order=pre, expansion=2)",
    "D": "C M(heads=2)",
    "B2": "basic(k={1|3},)",
    "E": "{C M|(C)*2|}",
    "H": "{1|2|4}",
    "W": "2*16",
}  # fmt: skip

_BLOCKS = {
    "ghost": "(k=3, act=relu) = residual[conv(width//2, k=1) norm act(act) conv(width, k=k)]",
    "wide": " = residual(after=2)[norm act conv(width) norm conv(width, k=1,)]",
    "either": "(k=1) = if k > 1 (conv(width, k=k) norm) else (norm act conv(width, k=1))",
    "both": "(n=2) = residual[norm sum[conv(width, k=1) (conv(width) norm act)]] if n >= 2 (norm act)",
    "slim": "(act={relu|gelu}) = residual[{norm|} act(act) {conv(width)|conv(width, k=1)}*2]",
}  # fmt: skip

_LOOSE = (
    "model net", "input 3x16x16", "input 1x32x32", "classes 10", "classes 2*5", "defaults(heads=2)",
    "defaults(act={relu|gelu}, head_dim=8,)", "maximize accuracy", "minimize log_ape", "data fashion",
    'data "npz:my data.npz"', "train(epochs=2, lr={1e-4..1e-2 log})", "train(batch={16|32}, flip=false,)",
)  # fmt: skip

_REQUIRE = (
    "require params <= 900M", "require macs < 900G and depth >= 0", "require not (params > 900M or depth == 99)",
    "require count(C) + count(M, stage=1)*2 >= 0", "require params/2 <= 900M and -1 < depth and (macs >= 0 or depth == 1)",
)  # fmt: skip
_STEMS = ("", "", "stem conv(16)", "stem conv(2*8, k=5) norm {act(gelu)|act}", "stem")
_HEADS = ("", "", "head norm act gap linear", "head {drop(0.2)|} gap linear(bias=false)")


@st.composite
def _spec_stage(draw: DrawFn, widths: SearchStrategy[str], named: tuple[str, ...], has_h: bool) -> str:
    arguments = [draw(widths)] if draw(st.booleans()) else []
    arguments += draw(
        st.lists(st.sampled_from(["stride=1", "down=conv", "down={patch|pool}"]), unique=True, max_size=1)
    )
    # An argument that no block of the stage takes is a mistake; M takes these.
    heads = draw(st.sampled_from(["", "", "heads=2", "heads={1|2}"] + ["heads=H"] * has_h))
    blocks = draw(st.lists(_spec_item(named, 2), min_size=1, max_size=4))
    if heads:
        arguments.append(heads)
        blocks.append("M")
    call = f"({', '.join(arguments)})" if arguments else ""
    return f"stage{call} [{' '.join(blocks)}]"


@st.composite
def _spec_item(draw: DrawFn, named: tuple[str, ...], depth: int) -> str:
    leaves = ["C", "M", "C", "M", "basic(order=pre)", "M(heads=2)", "C(act={relu|gelu})", *named]
    kind = draw(st.sampled_from(["leaf", "leaf", "repeat", "group", "choice", "structure"] if depth else ["leaf"]))
    inner = st.lists(_spec_item(named, depth - 1), max_size=2).map(" ".join)
    if kind == "leaf":
        return draw(st.sampled_from(leaves))
    if kind == "repeat":
        return f"{draw(_spec_item(named, 0))}*{draw(st.sampled_from(['1', '2', '{1..2}', '(1+1)']))}"
    if kind == "group":
        return f"({draw(inner)})"
    if kind == "choice":
        return "{" + "|".join(draw(st.lists(inner, min_size=1, max_size=3))) + "}"
    return draw(
        st.sampled_from(["residual[norm act conv(width)]", "concat[conv(width//2) (conv(width//2, k=1) norm)]"])
    )


# ---- Spacing -----------------------------------------------------------------------------------------------------


@st.composite
def spaced(draw: DrawFn, text: str) -> str:
    """A text that follows the grammar, with other blanks, line ends and comments; it means the same."""
    words = split(text)
    usual = draw(st.sampled_from(["", "", " ", "  ", "\n"]))
    places = draw(st.dictionaries(st.integers(0, len(words)), _space(), max_size=12))
    out = [places.get(0, "")]
    for number, (before, word) in enumerate(pairwise(words), start=1):
        space = "" if _touches(before, word) else places.get(number, usual) or _least(before, word)
        out += [before, space]
    out += [words[-1] if words else "", places.get(len(words), "")]
    spaced = "".join(out)
    return spaced.replace("\n", "\r\n") if draw(st.integers(0, 9)) == 0 else spaced


def split(text: str) -> list[lark.Token]:
    """The words of a text, commas and brackets included."""
    return list(_parser().parse(text).scan_values(lambda leaf: isinstance(leaf, lark.Token)))


@functools.cache
def _parser() -> lark.Lark:
    grammar = (resources.folder("grammars") / "arch.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", maybe_placeholders=False, keep_all_tokens=True)


def _touches(before: lark.Token, word: lark.Token) -> bool:
    """Whether nothing may stand between two words: a block and its arguments."""
    return word.type == "OPEN_CALL" and before.type == "NAME"


def _least(before: lark.Token, word: lark.Token) -> str:
    """What has to stand between two words that would be another one, or a call, without it."""
    return " " if before.type == "DATA_NAME" or (re.search(r"\w$", before) and re.match(r"\w|\(", word)) else ""


def _space() -> SearchStrategy[str]:
    """Something that may stand between two words."""
    blanks = st.sampled_from(["", " ", "   ", "\t", "\f", " \t "])
    comment = st.builds("{}#{}{}".format, blanks, _comment_text, _line_end)
    return st.one_of(blanks, _line_end, comment, comment, st.builds("{}{}{}".format, _line_end, comment, comment))
