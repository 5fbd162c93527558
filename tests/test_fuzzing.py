"""Any input at all is a spec that works or an `ArchdslError`, within a second and 200 MB: the short run of the fuzzing.

The long one, with the 64 KB attacks and a million inputs, is `python benchmarks/fuzz.py`.
"""

from __future__ import annotations

import random

import arch_texts
import pytest
from fuzzing.attacks import ATTACKS
from fuzzing.bombs import BOMBS, with_number
from fuzzing.grammar import parser, random_text
from fuzzing.mixture import numbered
from fuzzing.mutation import corpus
from fuzzing.trial import Trial, try_input
from hypothesis import HealthCheck, given, settings

quickly = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


# The goal is a second, which the long run holds every input to; here a slow machine is not to fail, only what hangs.
HANGS = 20.0


def survives(data: str | bytes, most_seconds: float = HANGS) -> Trial:
    trial = try_input(data if isinstance(data, bytes) else data.encode("utf-8", "replace"), most_seconds)
    assert trial.finding is None, f"{trial.finding}\n{data[:2000]!r}"
    return trial


# What fuzzing found: each gave a traceback, took long, or came out otherwise than it should.
FOUND = [
    "block C = ( )\nstem\nstage[C]\n",  # likewise
    "stage[residual[{conv|norm*00}*00]]",  # printed so that it could not be read
    "stage[C]\ntrain(lr={1e-4..1e4 log}*1e18)\n",  # likewise, a member of it
    # ---- slow ----
    "block b=conv(in+1,k=1)*3333 stage(1)[b*3333]",
    "block b=conv*9999 stage[b*9999]",
    "block b(n=99)=conv ((if n<0(conv)*n)*n)*n stage[b]",
    "block b(n=9999)=conv (if n<0(conv)*n)*n stage[b]",
    "block b(n=999)=conv (((()*n)*n)*n)*n stage[b]",
    "stage({1..9999})[C]",
    "stage({1..64})[C(k={1..9999})]",
    "stage({1..720}*{1..720}*{1..720})[C]",
    "stage(64,stride={1..9999})[C]stage(64,stride={1..9999})[C]",
    "stage[C*{1..333}]",
    "stage[(C*{1..99})*{1..99}]",
    "stage[conv(in+{1|2|3|5|7|11|13|17},k=1)*99]",
    "stage[residual[{conv|norm}*99]]",
    "let N1={1..99} let N2={1..99} stage[C*N1 M*N2 C*N1 M*N2]",
    "stage[basic(expansion={1|2|4|8},k={1|3|5})*31] require params<=9M or macs<=1M",
    "stage[residual[conv*99]*99]",
    "stage[C{" + "|" * 2000 + "}]",
    "stage[" + "C*{0..3}" * 400 + "]",
    "stage[" + "X " * 2000 + "]",
    "".join(f"block b{i}=X\n" for i in range(300)) + "stage[C]",
    "".join(f"let L{i}=L{i + 1} L{i + 1}\n" for i in range(20)) + "let L20=C stage[L0]",
    "".join(f"let L{i}=L{i + 1}*2\n" for i in range(20)) + "let L20=C stage[L0]",
    "".join(f"block b{i}=b{i + 1} b{i + 1}\n" for i in range(30)) + "block b30={conv|norm} stage[b0]",
    "".join(f"block b{i}=b{i + 1} {{norm|}}\n" for i in range(40)) + "block b40={conv|norm} stage[b0]",
    "let L0=C\n" + "".join(f"let L{i + 1}=L{i}*{{1..2}}\n" for i in range(11)) + "stage[L11]",
    "let L0={M|C}\n" + "".join(f"let L{i + 1}=L{i} {{L{i}|C}}\n" for i in range(10)) + "stage[L10]",
    "stage[conv({1|2|3|5|7|11|13},k=1)*99] require params==1234567",
    "stage[{C|M|T}*720] require params/count(M)==macs//count(C)",
    "stage[C*{1..999}] require params<1",
    "stage[residual[{conv|norm}*999]] require params*macs<=1",
    "".join(f"block b{i}(k={{1|3}})=b{i + 1}(k=k) b{i + 1}\n" for i in range(14))
    + "block b14(k=3)=conv(k=k) stage[b0]",
    "stage[conv({1..10000}*99)*260]",
    "stage[" + " ".join(f"C*({{1..{9000 + i}}}//9999)" for i in range(260)) + "]",
    "stage[" + " ".join(f"conv({{1..99}}*{{1..99}}-{i})" for i in range(260)) + "]",
    # ---- messages ----
    "stage[C]\u3000",
    "stage[C\u202e]",
    "\ufeff\ufeffstage[C]",
    # ---- members that cannot be read again ----
    "stage[()]",
    "stage[concat[conv(in,k=1)*99]*99]",
    # ---- formatting ----
    "stage(3,classes # a\n)[C]",
    "stage(3x99999x99999,+10000,classes //--{3x32x32..\n# a\n\n2x2 log}/8,64,2,)[]",
    # ---- tracebacks ----
    "block basic (_x,A)=\nstage[C]\n",
]


@pytest.mark.parametrize("text", FOUND)
def test_found(text: str) -> None:
    survives(text)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(name: str) -> None:
    """At 2 KB; the long run has them at 64 KB."""
    survives(ATTACKS[name](2048))


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    survives(with_number(name, 99))
    survives(with_number(name, 10_001))


@pytest.mark.parametrize("chunk", range(4))
def test_mixture(chunk: int) -> None:
    for number in range(chunk * 100, chunk * 100 + 100):
        survives(numbered(0, number)[1])


def test_files_are_a_corpus() -> None:
    outcomes = {survives(data).outcome for data in corpus()}
    assert outcomes >= {"mistaken", "model", "space"}


def test_the_grammar_writes_what_it_reads() -> None:
    """Most random texts parse: words that run together, or a call of what is no name, are the rest."""
    parsed = 0
    for seed in range(200):
        try:
            parser().parse(random_text(random.Random(seed)))
        except Exception:
            continue
        parsed += 1
    assert parsed > 120


@given(arch_texts.texts())
@quickly
def test_texts(text: str) -> None:
    survives(text)


@given(arch_texts.specs())
@quickly
def test_specs(text: str) -> None:
    survives(text)
