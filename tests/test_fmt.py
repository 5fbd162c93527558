"""The style of `archdsl fmt` by examples, and the files that come with archdsl, which have it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from shipped_files import SHIPPED

from archdsl.language.formatting import format_text

LINES = {
    # one statement a line, spaces within it
    "model  a  input 1x8x8 classes\n2*5": "model a\ninput 1x8x8\nclasses 2*5",
    "stage [C  M]": "stage[C M]",
    "stage ( 64 , heads = 2 ,) [C M ( C ) * 2{C | M|}]": "stage(64, heads=2) [C M (C)*2 {C|M|}]",
    "stage[C() M*(2+1)C*{ 1 .. 3 }]": "stage[C() M*(2+1) C*{1..3}]",
    "let  B={ |C M }let H = {2 | 4}": "let B = {|C M}\nlet H = {2|4}",
    "let W = 2 * width // 4 - - 1": "let W = 2*width//4--1",
    "defaults( act = gelu )": "defaults(act=gelu)",
    "train (lr={1e-4 .. 1e-2   log}, n={1..9 step  2},)": "train(lr={1e-4..1e-2 log}, n={1..9 step 2})",
    "require params<=2.0M": "require params <= 2.0M",
    "require not(count( M )-1>=-2*3 or(depth)!=4)and macs / 2<1": (
        "require not (count(M) - 1 >= -2*3 or (depth) != 4) and macs/2 < 1"
    ),
    "data npz:a.npz data  \"a  b\"": 'data npz:a.npz\ndata "a  b"',
    "head": "head",
    "block  f(k = 3,width,)=residual(after = 2) [ norm ]": "block f(k=3, width) = residual(after=2)[norm]",
    "block f ( k )=if k>1(norm)else(act)sum [ C (C M) ]": "block f(k) = if k > 1 (norm) else (act) sum[C (C M)]",
    "stem if a == (b) ( )": "stem if a == (b) ()",
    # comments
    "#a\n#!b\n##c\n#\n#- d  \nstage[C]#e": "# a\n#!b\n##c\n#\n#- d\nstage[C]  # e",
    "stage[C]# a\r\n\r\n\r\n\r\n# b": "stage[C]  # a\n\n# b",
    "model # a\n m # b\nmaximize x": "model m  # a\n# b\n\nmaximize x",
    "let W = 2 # a\n*3": "let W = 2*3  # a",
    "let B = # a\nC": "let B =  # a\n  C",
    "stem conv # a\n# b\n norm # c": "stem conv  # a\n  # b\n  norm  # c",
    "stage(64) # a\n[C]": "stage(64) [  # a\n  C\n]",
    "stage(64, # a\nheads=2 # b\n,\n# c\n) [C]": "stage(\n  64,      # a\n  heads=2  # b\n  # c\n) [C]",
    "stage[C\n# a\n# b\n\nM*# c\n2]": "stage[\n  C\n  # a\n  # b\n  M*2  # c\n]",
    "stage[{C # a\n|# b\n|# c\nM}*2]": "stage[\n  {\n    C  # a\n    |  # b\n    |  # c\n      M\n  }*2\n]",
    "require a < 1 # a\nand # b\n c > 2 # c": "require a < 1  # a\n  and c > 2    # b\n# c\n",
    "stem if a == # a\nb (C # b\n) else (# c\n)": "stem if a == b (  # a\n  C               # b\n) else (          # c\n)",
    # blank lines
    "\n\nmodel a\n\n\n\nclasses 2\n# a\n\n# b\nstage[\n\nC]\n\n": "model a\n\nclasses 2\n# a\n\n# b\nstage[C]",
    # columns
    "stage(8)[C] stage(16, heads=2)[M]": "stage(8)           [C]\nstage(16, heads=2) [M]",
    "stage[C] stage(8)[M]": "stage    [C]\nstage(8) [M]",
    "stage(8)[C]\n\nstage(100)[M]": "stage(8) [C]\n\nstage(100) [M]",
    "stage(8)[C]\n# a\nstage(100)[M]": "stage(8)   [C]\n# a\nstage(100) [M]",
    "stage(8)[C] stage(16, stride=1, down=conv, heads=2)[M]": (
        "stage(8) [C]\nstage(16, stride=1, down=conv, heads=2) [M]"
    ),
    "model a # a\nclasses 10 # b\ninput 1x1x1\nhead # c": "model a     # a\nclasses 10  # b\ninput 1x1x1\nhead  # c",
}  # fmt: skip


@pytest.mark.parametrize("text", LINES)
def test_lines(text: str) -> None:
    formatted = format_text(text)
    assert formatted == LINES[text].rstrip("\n") + "\n"
    assert format_text(formatted) == formatted


def block_of(*words: str) -> str:
    return "block f = residual[" + " ".join(words) + "]"


def test_what_fits_in_100_columns_stands_on_one_line() -> None:
    text = "stage(64, heads=4) [" + " ".join(["norm"] * 15)
    assert format_text(f"{text} 12345]".replace("12345", "abcd")) == f"{text} abcd]\n"
    assert format_text("stage[\nC\nC\n]") == "stage[C C]\n"
    assert max(map(len, format_text("stage[" + "C " * 500 + "]").splitlines())) == 99
    assert format_text("head " + "norm(kind=ln) " * 10) == (
        "head" + " norm(kind=ln)" * 6 + "\n " + " norm(kind=ln)" * 4 + "\n"
    )


def test_brackets_break_from_outside_in() -> None:
    body = "conv(width//2, k=3, stride=stride, groups=8, bias=true)"
    text = f"block f(width, stride) = if k > 1 (residual[norm act {body} norm act {body}]*2 C) else (C)"
    assert format_text(text) == (
        "block f(width, stride) =\n"
        "  if k > 1 (\n"
        "    residual[\n"
        f"      norm act {body} norm act\n"
        f"      {body}\n"
        "    ]*2\n"
        "    C\n"
        "  ) else (\n"
        "    C\n"
        "  )\n"
    )


def test_a_sequence_that_does_not_fit_keeps_the_line_ends_of_its_author() -> None:
    words = [
        "conv(64, k=3, stride=2)",
        "norm",
        "act",
        "conv(128, k=3, stride=2)",
        "norm",
        "act",
        "conv(64, bias=true, k=1)",
    ]
    joined = "\n    ".join([" ".join(words[:3]), " ".join(words[3:6]), words[6]])
    expected = f"block f =\n  residual[\n    {joined}\n  ]\n"
    assert format_text(f"block f = residual[ {joined} ]") == expected
    assert format_text("stage[\n\nC C\n\n\nM]") == "stage[C C M]\n"


def test_arguments_continue_below_the_first_one() -> None:
    arguments = ", ".join(f"argument_{i}={i}" for i in range(8))
    lines = format_text(f"train({arguments})").splitlines()
    assert [line[:7] for line in lines] == ["train(a", "      a"]
    assert all(len(line) <= 100 for line in lines)
    deep = format_text(f"let B = a_block_with_a_long_name_that_leaves_little_room({arguments})").splitlines()
    assert [len(line) - len(line.lstrip()) for line in deep] == [0, 2, 6]


def test_a_long_requirement_breaks_before_and_or() -> None:
    text = "require params <= 2M and macs <= 150M and (count(M) >= 1 or count(C, stage=2) + count(T)*2 <= 300000) and depth > 2"
    assert format_text(text) == (
        "require params <= 2M and macs <= 150M\n"
        "  and (count(M) >= 1 or count(C, stage=2) + count(T)*2 <= 300000) and depth > 2\n"
    )


def test_alternatives_stand_one_a_line() -> None:
    long = "norm act conv(64, k=3, groups=4) norm"
    assert format_text(f"let B = {{{long} | {long} | | {long}}}") == (
        f"let B =\n  {{\n    {long}\n    | {long}\n    |\n    | {long}\n  }}\n"
    )


def test_the_byte_order_mark_and_form_feeds_go() -> None:
    assert format_text("\ufeffstage[C]\f\n\f\nhead") == "stage[C]\n\nhead\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_are_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.stem == "prelude":  # which is wider
        assert re.sub(r"\s+", "", format_text(text)) == re.sub(r"\s+", "", text)
    else:
        assert format_text(text) == text
