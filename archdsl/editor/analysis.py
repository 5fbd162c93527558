"""Analyses one version of a text as far as an editor can wait for: mistakes, spec, members of its space."""

from __future__ import annotations

import functools
import gc
import logging
import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from archdsl import ir
from archdsl.base.errors import ArchdslError, Diagnostic, SpecError
from archdsl.blocks.composites.definition import scope_of
from archdsl.blocks.shapes import Shape
from archdsl.editor.names import Names
from archdsl.editor.positions import Lines
from archdsl.editor.reading import read_again
from archdsl.editor.scanner import Scan
from archdsl.ir import arguments
from archdsl.ir.conditions import allows, unmet
from archdsl.language import syntax
from archdsl.language.lower import lower
from archdsl.network import Architecture, Choose, Misfit, first_option, resolve
from archdsl.network.fitting import fit
from archdsl.space import options, size

log = logging.getLogger(__name__)

PATIENCE = 0.015  # seconds to look for a member that satisfies everything before another process takes over
TRIES = 32
MAX_WAYS = 10_000  # combinations of shared holes up to which counting a space takes no time


@dataclass(frozen=True)
class StageFacts:
    """What a stage of a network comes to."""

    out: Shape
    params: int
    macs: int
    depth: int


class Analysis:
    """What is known about one version of a text; a broken one still has its words and names.

    Attributes:
        lines: its places.
        statements: the syntax tree of those that could be read.
        spec: None when the text is mistaken.
        mistakes: as `archdsl check` reports them, as far as they are known.
        plain: the model, or of a space the plainest member that was found; None when there is none.
        full: of a space the member with every hole at its last option, if it fits together.
        size: how many ways there are to fill the holes; None when that is not known, or takes long to count.
        settled: whether the mistakes are all known; else `archdsl check` has to look.
    """

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self.text = text
        self.lines = Lines(text, encoding)
        self.statements: tuple[syntax.Statement, ...] = ()
        self.spec: ir.Spec | None = None
        self.mistakes: tuple[Diagnostic, ...] = ()
        self.plain: Architecture | None = None
        self.full: Architecture | None = None
        self.size: int | None = None
        self.settled = True
        try:
            self._look()
        except SpecError as error:
            self.mistakes = error.diagnostics
        except ArchdslError as error:
            self.mistakes = (Diagnostic(error.message, None, error.help),)
        except Exception as error:  # a mistake of ours must not end the session of whoever writes
            log.exception("this text could not be analysed")
            self.mistakes = (Diagnostic(f"archdsl failed where it should not: {error!r}", None, "please report this"),)

    @functools.cached_property
    def scan(self) -> Scan:
        """Its words."""
        return Scan(self.text)

    @functools.cached_property
    def names(self) -> Names:
        """What the text defines."""
        return Names(self.scan, scope_of(self.spec.blocks) if self.spec else None)

    @functools.cached_property
    def is_space(self) -> bool:
        """Whether something is left to decide."""
        return self.spec is not None and self.spec.has_holes()

    @functools.cached_property
    def stages(self) -> list[list[StageFacts]]:
        """Every stage of the model; of a space in the plainest member and the one at the other end."""
        found = [_facts(member) for member in (self.plain, self.full) if member is not None]
        return [list(facts) for facts in zip(*found, strict=True)]

    def settle(self, mistakes: tuple[Diagnostic, ...]) -> None:
        """Take in what `archdsl check` found."""
        self.mistakes, self.settled = mistakes, True

    def _look(self) -> None:
        # A byte order mark is no part of a text; in its place a space keeps all places what they are.
        text = " " + self.text[1:] if self.text.startswith("\ufeff") else self.text
        reading = read_again(text)
        self.statements = reading.statements
        self.spec = spec = lower(reading, text, "<text>")
        if spec.has_holes():
            self.settled = self._meets(spec) and self._counts(spec)
            return
        try:
            self.plain = model = resolve(spec)
        except Misfit as error:
            self.mistakes = (error.diagnostic,)
        else:
            found = (unmet(condition, model) for condition in spec.require)
            self.mistakes = tuple(mistake for mistake in found if mistake is not None)

    def _meets(self, spec: ir.Spec) -> bool:
        """Whether some member of the space that is found in time satisfies all that is required."""
        began = time.perf_counter()
        met = False
        for number, choose in enumerate(_ways()):
            try:
                member = resolve(spec, choose)
            except Misfit:
                member = None
            if number == 1:
                self.full = member
            if member is not None:
                self.plain = self.plain or member
                met = met or all(allows(condition, member) for condition in spec.require)
            if number and (met or time.perf_counter() - began > PATIENCE):
                break
        return met

    def _counts(self, spec: ir.Spec) -> bool:
        """Whether the size of the space was found, or cannot be; False where that would take long."""
        places = Counter(hole.name for hole in ir.holes_in(spec))
        repeated = {hole.name for repeat in ir.repeats(spec) for hole in ir.holes_in(repeat.times)}
        shared = (hole for hole in ir.holes(spec) if places[hole.name] > 1 or hole.name in repeated)
        if math.prod(options(hole) for hole in shared) > MAX_WAYS:
            return False
        self.size = size(spec)
        return True


def forget() -> None:
    """Let go of the block classes of texts that are no more; the caches of the library would keep them all."""
    for cache in (fit, arguments.misfit):
        cache.cache_clear()
    gc.collect()


def _ways() -> Iterator[Choose]:
    """Ways to decide holes: the first options, the last ones, then any."""
    yield first_option
    yield lambda hole: hole.high if isinstance(hole, ir.FloatRange) else options(hole) - 1
    rng = random.Random(0)
    for _ in range(TRIES):
        yield lambda hole: hole.low if isinstance(hole, ir.FloatRange) else rng.randrange(options(hole))


def _facts(network: Architecture) -> list[StageFacts]:
    """The facts of every stage in order."""
    found = []
    out = network.stem[-1].cost.out if network.stem else Shape(*network.input)
    for stage in network.stages:
        blocks = (*((stage.downsampling,) if stage.downsampling else ()), *stage.blocks)
        out = blocks[-1].cost.out if blocks else out
        params, macs = sum(b.cost.params for b in blocks), sum(b.cost.macs for b in blocks)
        found.append(StageFacts(out, params, macs, len(stage.blocks)))
    return found


def short(number: int) -> str:
    """A count in three digits: 1.23M.

    >>> [short(n) for n in (999, 1234, 999_999, 12_345_678, 2_000_000_000)]
    ['999', '1.23K', '1M', '12.3M', '2G']
    """
    for factor, letter in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if number >= factor * 0.9995:  # what rounds to 1000 of the smaller unit is one of this
            return f"{number / factor:.3g}{letter}"
    return str(number)


def sides(shape: Shape) -> str:
    """A shape as the language writes it: `128x16x16`; tokens as their number and width."""
    return "x".join(map(str, shape.dims))
