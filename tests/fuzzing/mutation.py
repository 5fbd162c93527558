"""Damage to texts: bytes and words of known files flipped, left out, doubled, swapped, joined and filled with oddities."""

from __future__ import annotations

import functools
import random
import re
from pathlib import Path

from archdsl.base import resources

from .grammar import CALLED, NAMES, WORDS

FIXTURES = Path(__file__).parent.parent / "fixtures"
_WORD = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\s+|\.\.|[<>=!]=|//|[^\w\s]")

KEYWORDS = (
    "model", "input", "classes", "defaults", "let", "block", "stem", "stage", "head", "require", "maximize", "minimize",
    "data", "train", "if", "else", "step", "log", "and", "or", "not",
)  # fmt: skip
BRACKETS = (
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
    "..",
    "//",
    "/",
    "+",
    "-",
    '"',
    "#",
    "()",
    "[]",
    "{|}",
    "{}",
)
NUMBERS = (
    "0", "1", "-1", "2", "3", "7", "63", "64", "65", "99", "128", "1000", "9999", "10000", "10001", "65536", "1000000",
    "1000001", "4294967296", "999999999999999999", "1000000000000000000", "9" * 40, "1e18", "1e19", "1e-320", "1e999",
    "0.1", "0.30000000000000004", "1.0", "00", "2M", "0.0001K", "9999999999G", "1x1x1", "3x99999x99999", "1x2", "0x0x0",
)  # fmt: skip
ODD = (
    "\x00", "\x07", "\x1b[31m", "\x7f", "\x85", "\x9b31m", "\xa0", "\xad", "\u200b", "\u202e", "\u2028", "\u2029", "\u3000",
    "\ufeff", "\ufffe", "é", "ß", "İ", "ı", "٣", "²", "½", "𝟗", "Ⅷ", "C\u0301", "👩\u200d👧", "\U0010ffff", "\t", "\r", "\r\n",
    "\n", "\f", "\v", "\\", "'", ";", "$", "@", "%s", "{0}", "[/red]", "…",
)  # fmt: skip
RAW = (b"\x00", b"\xff", b"\xfe\xff", b"\xc3", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\x80", b"\x1a", b"PK\x03\x04")  # fmt: skip


@functools.cache
def corpus() -> tuple[bytes, ...]:
    """Files that are known: shipped specs, the prelude, fixtures that are right and wrong."""
    paths = [*resources.shipped_specs().values(), resources.folder("grammars") / "prelude.arch"]
    paths += sorted(FIXTURES.glob("*/*.arch"))
    found = [path.read_bytes() for path in paths]
    return tuple(data for data in found if len(data) < 10_000)


def mutated(rng: random.Random, known: tuple[bytes, ...] | list[bytes] | None = None) -> bytes:
    """A known file, damaged in one to many places."""
    known = known or corpus()
    data = rng.choice(known)
    if rng.random() < 0.15:
        other = rng.choice(known)
        data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    times = rng.choice((1, 1, 1, 2, 2, 3, 5, 8, 20))
    if rng.random() < 0.2:
        for _ in range(times):
            data = _damaged(data, rng)
        return data[:20_000]
    return words_damaged(data.decode("utf-8", "replace"), rng, times)


def words_damaged(text: str, rng: random.Random, times: int) -> bytes:
    """A text after so many changes of words."""
    words = _WORD.findall(text)
    for _ in range(times):
        _change(words, rng)
    return "".join(words)[:20_000].encode("utf-8", "replace")


def _damaged(data: bytes, rng: random.Random) -> bytes:
    """One change of bytes."""
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + int(2 ** rng.uniform(0, 6)))
    match rng.randrange(6):
        case 0:  # flip a bit
            return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :] if at < len(data) else data
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:at] + data[at:end] * rng.choice((2, 2, 3, 10)) + data[end:]
        case 3:
            return data[:at] + rng.choice(RAW) + data[at:]
        case 4:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    to = rng.randrange(len(data) + 1)
    return data[:to] + data[at:end] + data[to:]


def _change(words: list[str], rng: random.Random) -> None:
    """One change of words."""
    at = rng.randrange(len(words) + 1)
    end = min(len(words), at + rng.choice((1, 1, 1, 2, 3, 8, 20)))
    match rng.randrange(9):
        case 0:
            del words[at:end]
        case 1:
            words[at:at] = words[at:end] * rng.choice((1, 1, 2, 9))
        case 2 if at < len(words):
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        case 3 if at < len(words):
            words[at] = _like(words[at], rng)
        case 4 if at < len(words):
            words[at] = _like(words[at], rng)
        case 5:
            words[at:at] = [rng.choice(("", " ")), _any(rng), rng.choice(("", " "))]
        case 6:
            to = rng.randrange(len(words) + 1)
            words[to:to] = words[at:end]
        case 7:
            opening, closing = rng.choice(("()", "[]", "{}", ("residual[", "]"), ("sum[", "]"), ("if k>1(", ")")))
            words[at:end] = [opening, *words[at:end], closing]
        case _:
            words[at:at] = ["*", rng.choice(NUMBERS)] if rng.randrange(2) else [rng.choice(ODD)]


def _like(word: str, rng: random.Random) -> str:
    """Another word of the same sort."""
    if word[:1].isdigit():
        return rng.choice(NUMBERS)
    if word in KEYWORDS:
        return rng.choice(KEYWORDS)
    if word[:1].isalpha():
        return rng.choice(NAMES)
    if not word.strip():
        return rng.choice(("", " ", "\n", "\t", "#x\n", *ODD))
    return rng.choice(BRACKETS)


def _any(rng: random.Random) -> str:
    pools = (KEYWORDS, NAMES, BRACKETS, NUMBERS, ODD, WORDS["COMPARE"], tuple(f"{name}[" for name in CALLED))
    return rng.choice(rng.choice(pools))
