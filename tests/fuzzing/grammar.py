"""Random texts straight from the compiled rules of `grammars/arch.lark`: what the grammar allows, this can write.

Rules and terminals are read from Lark, so a change of the grammar is a change of what comes out; only the words that
stand for open terminals (names, numbers, data sets) are listed here, chosen so that many texts mean something.
"""

from __future__ import annotations

import functools
import random
import re
from collections import defaultdict

import lark

from archdsl.base import resources

NAMES = (
    "C", "M", "T", "C", "M", "A", "B", "b", "conv", "norm", "act", "basic", "bottleneck", "msa", "transformer", "mixer",
    "convnext", "mbconv", "drop", "maxpool", "avgpool", "gap", "linear", "patch", "pos", "cls", "attention", "se", "scale",
    "token_mlp", "residual", "sum", "concat", "width", "stride", "in", "classes", "heads", "k", "groups", "order", "pre",
    "window", "expansion", "act", "gelu", "relu", "norm", "ln", "bn", "down", "pool", "true", "false", "none", "params",
    "macs", "depth", "count", "accuracy", "log_ape", "epochs", "lr", "batch", "shortcut", "after", "bias", "stage2", "_x",
)  # fmt: skip
WORDS = {
    "NAME": NAMES,
    "INT": ("0", "1", "2", "3", "4", "8", "16", "64", "10", "99", "10000", "1000000", "999999999999999999"),
    "FLOAT": ("0.5", "1e-3", "2.5", "1e18", "1e-300", "4.0", "1e400"),
    "SIZE": ("2M", "1.5K", "900G", "1K"),
    "SHAPE": ("3x32x32", "1x8x8", "3x1x1", "2x2", "3x99999x99999", "0x0x0"),
    "DATA_NAME": ("fashion", "npz:a/b.npz", "cifar-10"),
    "STRING": ('"npz:my data.npz"', '""', '"é"'),
    "GOAL": ("maximize", "minimize"),
    "COMPARE": ("<=", ">=", "==", "!=", "<", ">"),
    "SIGN": ("+", "-"),
    "SLASH": ("/", "//"),
}
CALLED = {"residual": 6, "sum": 3, "concat": 3}  # what stands before a '[', and how often
SPACES = (" ", " ", " ", " ", " ", "\n", "  ", "\t", "\r\n", " # note\n", "\n# é\n\n", "\f")


@functools.cache
def parser() -> lark.Lark:
    """Lark's, which knows the rules and the words."""
    text = (resources.folder("grammars") / "arch.lark").read_text(encoding="utf-8")
    return lark.Lark(text, parser="lalr", maybe_placeholders=False)


@functools.cache
def _rules() -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = defaultdict(list)
    for rule in parser().rules:
        found[rule.origin.name].append([symbol.name for symbol in rule.expansion])
    return dict(found)


@functools.cache
def _least() -> dict[str, int]:
    """How many words each symbol has at least."""
    least = {terminal.name: 1 for terminal in parser().terminals}
    found = True
    while found:
        found = False
        for name, expansions in _rules().items():
            known = [sum(least[s] for s in e) for e in expansions if all(s in least for s in e)]
            if known and min(known) < least.get(name, 10**9):
                least[name], found = min(known), True
    return least


@functools.cache
def _literals() -> dict[str, str]:
    """Terminals that are one fixed word."""
    return {t.name: t.pattern.value for t in parser().terminals if t.pattern.type == "str"}


class Writer:
    """Writes one text.

    Args:
        rng: decides.
        words: about how many words there may be; the rest is closed as briefly as possible.
    """

    def __init__(self, rng: random.Random, words: int) -> None:
        self.rng = rng
        self.left = words
        self.out: list[tuple[str, str]] = []

    def write(self, symbol: str) -> None:
        """One symbol of the grammar."""
        pending = [symbol]
        while pending:
            name = pending.pop()
            if name in _rules():
                pending += reversed(self._choose(name))
            else:
                self.out.append((name, self._word(name)))
                self.left -= 1

    def _choose(self, name: str) -> list[str]:
        expansions, least = _rules()[name], _least()
        if self.left <= 0:
            return min(expansions, key=lambda e: sum(least[s] for s in e))
        if name == "statement" and self.rng.random() < 0.4:
            return self.rng.choice([e for e in expansions if e[0] == "STAGE"])
        return self.rng.choice(expansions)

    def _word(self, name: str) -> str:
        if name in WORDS:
            return self.rng.choice(WORDS[name])
        if name == "OPEN_CALL":
            return "("
        return _literals()[name]

    def text(self) -> str:
        """What was written, with spaces where words would run together, and elsewhere by chance."""
        usual = self.rng.choice(("", " ", " ", " "))
        parts: list[str] = []
        for number, (name, word) in enumerate(self.out):
            if number:
                parts.append(self._space(self.out[number - 1], name, word, usual))
            follows = self.out[number + 1][0] if number + 1 < len(self.out) else ""
            if name == "NAME" and follows == "LSQB" and self.rng.random() < 0.9:
                word = self.rng.choices(list(CALLED), list(CALLED.values()))[0]
            parts.append(word)
        return "".join(parts)

    def _space(self, before: tuple[str, str], name: str, word: str, usual: str) -> str:
        if name == "OPEN_CALL" or (before[0] == "NAME" and name == "LSQB"):
            return ""
        if name in ("MODEL", "STEM", "STAGE", "HEAD", "LET", "BLOCK", "REQUIRE", "GOAL", "DATA", "TRAIN", "CLASSES"):
            return "\n"
        if self.rng.random() < 0.05:
            return self.rng.choice(SPACES)
        together = re.match(r"\w|\(", word) and re.search(r"\w$", before[1])
        return usual or (" " if together or before[0] == "DATA_NAME" else "")


def random_text(rng: random.Random) -> str:
    """A text that follows the grammar (but for words that run together in the reader's eye), whatever it means."""
    writer = Writer(rng, int(2 ** rng.uniform(2, 9)))
    start = rng.random()
    if start < 0.75:
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 8))):
            writer.write("statement")
            writer.left = max(writer.left, rng.randrange(1, 60))
    else:
        writer.write("start")
    if rng.random() < 0.3:
        return f"{writer.text()}\nstage[C]\n"
    return writer.text() or "stage[C]"
