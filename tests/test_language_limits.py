"""Any text at all is a spec or a SpecError, and a small one cannot cost much."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from work import at_most

from archdsl import ir, space
from archdsl.base import resources
from archdsl.base.errors import SpecError
from archdsl.interchange.arch_text import write
from archdsl.language import parse

FIXTURES = Path(__file__).parent / "fixtures"
TEXTS = [path.read_text(encoding="utf-8-sig") for path in sorted((FIXTURES / "valid").glob("*.arch"))]
TEXTS += [path.read_text(encoding="utf-8") for path in resources.shipped_specs().values()]


# ---- limits: a small text cannot cost much -------------------------------------------------------------------

HUGE = {
    "ten megabytes": "# " + "x" * 10_000_000,
    "many stages": "stage[C]\n" * 11_000,
    "a billion blocks": "stage[C*1000000000]",
    "repeats of repeats": "stage[((((C*99)*99)*99)*99)*99]",
    "repeats of nothing": "stage[((((()*9999)*9999)*9999)*9999) C]",
    "options of nothing": "stage[C {C" + "|" * 1000 + "}*5000]",
    "nested brackets": "stage" + "[" * 10_000,
    "nested groups": "stage[" + "(" * 10_000 + "C" + ")" * 10_000 + "]",
    "nested choices": "stage[" + "{" * 64 + "C" + "|M}" * 64 + "]",
    "nested values": "stage(" + "(" * 10_000 + "1" + ")" * 10_000 + ")[C]",
    "a chain of sums": "stage(1" + "+1" * 20_000 + ")[C]",
    "a chain of repeats": "stage[C" + "*1" * 20_000 + "]",
    "a chain of conditions": "stage[C] require depth > 0" + " and depth > 0" * 2000,
    "negations": "stage[C] require " + "not " * 2000 + "depth > 0",
    "lets that double": "\n".join(f"let L{i} = L{i + 1} L{i + 1}" for i in range(60)) + "\nlet L60 = C stage[L0]",
    "lets that square": "\n".join(f"let L{i} = 1*L{i + 1}*L{i + 1}" for i in range(20)) + "\nlet L20 = 10 stage(L0)[C]",
    "lets of holes": "\n".join(f"let L{i} = 1*L{i + 1}+L{i + 1}" for i in range(19)) + "\nlet L19 = {1|2} stage(L0)[C]",
    "large ranges": "stage[C*({1..9999}*{1..9999}//({1..9999}*{1..9999}))]",
    "a long name": "stage[" + "C" * 90_000 + "]",
    "a long number": "stage(" + "1" * 90_000 + ")[C]",
    "a long line of junk": "stage[" + "?" * 90_000 + "]",
    "no line breaks": "}" * 90_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_limits(name: str) -> None:
    with at_most(calls=5_000_000), pytest.raises(SpecError) as caught:
        space.check(parse(HUGE[name]), HUGE[name])
    assert len(str(caught.value)) < 2000


def test_as_deep_as_allowed_works_all_the_way() -> None:
    text = "stage[C " + "{" * 60 + "C" + "|M}" * 60 + "]"
    spec = parse(text)
    assert space.size(spec) == 61
    assert ir.Spec.model_validate_json(spec.model_dump_json()) == spec
    assert space.check(parse(write(space.check(spec)))).depth == 2


# ---- any text at all -----------------------------------------------------------------------------------------


WORDS = [
    "model",
    "input",
    "classes",
    "defaults",
    "let",
    "stem",
    "stage",
    "head",
    "require",
    "maximize",
    "minimize",
    "data",
    "train",
    "C",
    "M",
    "T",
    "B",
    "basic",
    "msa",
    "conv",
    "norm",
    "act",
    "drop",
    "maxpool",
    "gap",
    "linear",
    "patch",
    "pos",
    "cls",
    "transformer",
    "heads",
    "width",
    "stride",
    "k",
    "window",
    "order",
    "down",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    ",",
    "=",
    "*",
    "+",
    "-",
    "/",
    "//",
    "..",
    "step",
    "log",
    "and",
    "or",
    "not",
    "<=",
    "==",
    "<",
    "1",
    "2",
    "8",
    "64",
    "0.5",
    "1e-3",
    "2M",
    "3x32x32",
    "true",
    "none",
    "relu",
    "pre",
    "params",
    "depth",
    "count",
    "accuracy",
    '"x"',
    "#",
]
JUNK = "(){}[]|,=*+-/.# \n\t0123456789xKMGeaCMT<>!\"'\\;é\x00"


def survive(text: str) -> None:
    """A text is a spec that goes all the way, or a SpecError; nothing else."""
    try:
        spec = parse(text)
        member = space.check(spec, text)
    except SpecError as error:
        places = [d.span.line for d in error.diagnostics if d.span]
        if error.diagnostics and all(1 <= line <= text.count("\n") + 1 for line in places):
            return
        raise AssertionError("an error without a mistake, or outside the text") from error
    assert ir.Spec.model_validate_json(spec.model_dump_json()) == spec
    assert space.size(spec) >= 1
    assert space.check(parse(write(member))).hash == member.hash


LITTLE = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@LITTLE
@given(st.lists(st.sampled_from([*WORDS, "\n"]), max_size=25).map(" ".join))
def test_any_words(text: str) -> None:
    survive(text)


@LITTLE
@given(st.text(max_size=40))
def test_any_characters(text: str) -> None:
    survive(text)


@settings(LITTLE, max_examples=120)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
def test_any_change_of_a_valid_file(text: str, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(text) + 1)
        what = rng.choice(["", rng.choice(JUNK), f" {rng.choice(WORDS)} ", text[at : at + rng.randrange(12)]])
        text = text[:at] + what + text[at + rng.randrange(3) :]
    survive(text)
