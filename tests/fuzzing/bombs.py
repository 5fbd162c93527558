"""Small texts that mean something huge: repeats, ranges, shared holes, widths and blocks that multiply each other."""

from __future__ import annotations

import random
import re

# `N` stands for a number; the long run tries several, the test the largest that is allowed and the first that is not.
BOMBS = {
    "blocks": "stage[C*N]",
    "blocks that differ": "stage(1)[conv(in+1,k=1)*N]",
    "a long block": "block b=conv*N stage[b]",
    "long blocks": "block b=conv*N stage[b*N]",
    "long blocks that differ": "block b=conv(in+1,k=1)*N stage(1)[b*N]",
    "long blocks by a parameter": "block b(n=N)=conv*n stage[b]",
    "long blocks by parameters": "block b(n=N)=conv*n block c(n=N)=b(n=n)*n stage[c]",
    "long blocks by parameters that differ": "block b(n=1)=conv(in+1,k=1)*n stage(1)[b(n=N)*N]",
    "empty blocks by a parameter": "block b(n=N)=(if n<0(conv))*n block c(n=N)=b(n=n)*n stage[C c]",
    "ifs by a parameter": "block b(n=N)=conv (if n<0(conv)*n)*n stage[b]",
    "ifs by two parameters": "block b(n=N)=conv ((if n<0(conv)*n)*n)*n stage[b]",
    "groups of nothing": "block b(n=N)=conv (((()*n)*n)*n)*n stage[b]",
    "sum by a parameter": "block b(n=N)=sum[conv*n] stage[b]",
    "concat by a parameter": "block b(n=N)=concat[conv*n] stage[b*N]",
    "residual by a parameter": "block b(n=N)=residual[conv*n] stage[b*N]",
    "a residual": "stage[residual[conv*N]*N]",
    "a sum": "stage[sum[conv*N]]",
    "a concat": "stage[concat[conv*N]]",
    "sums": "stage[sum[conv conv]*N]",
    "concats": "stage[concat[conv(in,k=1)*N]*N]",
    "concats that double": "stage[concat[conv(in,k=1)*2]*N]",
    "concats that double by attention": "stage[concat[attention*2]*N]",
    "heads": "stage(N)[M(heads=N)]",
    "head_dim": "stage[M(head_dim=N,heads=N)]",
    "window": "input 3xNxN stage[M(window=N)]",
    "local": "input 3xNxN stage[T(local=N)]",
    "kernel": "input 3xNxN stage[C(k=N)]",
    "kernels": "stage[C(k={1..N})]",
    "large image": "input NxNxN stage(N)[C M T]",
    "groups": "stage(N)[C(groups=N)]",
    "expansion": "stage(N)[mbconv(expansion=N)]",
    "mlp_ratio": "stage(N)[T(mlp_ratio=N)]",
    "token_ratio": "stage(N)[mixer(token_ratio=N)]",
    "divisors": "stage(720720)[C(groups=N)]",
    "widths that double": "stage(N)[C]stage[C]stage[C]stage[C]stage[C]stage[C]",
    "strides": "input 3xNxN stage(64,stride=N)[C]stage(64,stride=N)[C]",
    "patches": "input 3xNxN stem patch(64,k=N) pos cls stage(64,stride=1)[T*N] head norm(kind=ln) cls linear",
    "classes": "classes N stage[C]",
    "a range": "stage({1..N})[C]",
    "ranges": "stage({1..N})[C(k={1..N})]",
    "two ranges added": "stage({1..N}+{1..N})[C]",
    "ranges multiplied": "stage({1..N}*{1..N}*{1..N})[C]",
    "a stepped range": "stage({1..999999999999999999 step N})[C]",
    "range by lets": "let W={1..N} stage(W)[C]stage(W*W)[C]stage(W)[C]",
    "a range of strides": "stage(64,stride={1..N})[C]stage(64,stride={1..N})[C]",
    "a range of kernels": "stage[C(k={1..N})*9]",
    "repeat ranges": "stage[C*{1..N}]",
    "repeat ranges of repeat ranges": "stage[(C*{1..N})*{1..N}]",
    "repeat ranges of choices": "stage[{C|M}*{1..N}]",
    "repeats of choices": "stage[{C|M}*N]",
    "repeats of choices of repeats": "stage[{C*N|M*N}*N]",
    "choices of kernels": "stage[C(k={1|3|5|7})*N]",
    "choices of widths": "stage[conv({1|2|3|5|7|11|13},k=1)*N]",
    "choices of widths that add": "stage[conv(in+{1|2|3|5|7|11|13|17},k=1)*N]",
    "choices in residuals": "stage[residual[{conv|norm}*N]]",
    "choices in definitions": "block b={conv|norm}*N stage[b*N]",
    "choices in defaults": "block b(k={1|3})=conv(k=k) stage[b*N]",
    "choices in defaults twice": "block b(k={1|3})=conv(k=k) block c(k={1|3})=b b(k=k) stage[c*N]",
    "shared choices": "let A={C|M} let B={C|A} let D={A|B} stage[(A B D)*N]",
    "shared numbers": "let H={1|2} let K={1|H} let L={H|K} stage[(M(heads=H) M(heads=K) M(heads=L))*N]",
    "shared repeat counts": "let N1={1..N} let N2={1..N} stage[C*N1 M*N2 C*N1 M*N2]",
    "shared repeat counts added": "let N1={1..N} let N2={1..N} stage[C*(N1+N2) M*(N1*N2)]",
    "counting": "stage[{C|M}*N] require count(M)*2==depth",
    "counting kinds": "stage[{C|M|T|norm|act}*N] require count(M)==count(C) and count(T)<count(norm)",
    "weighing": "stage[C(k={1|3|5|7|9})*N] require params<=1M and macs>=1M",
    "weighing widths": "stage[conv({1|2|3|5|7|11|13},k=1)*N] require params==1234567",
    "weighing much": "stage[basic(expansion={1|2|4|8},k={1|3|5})*N] require params<=9M or macs<=1M",
    "weighing products": "stage[{C|M}*N] require params*macs<=1G and count(C)*count(M)==99",
    "weighing quotients": "stage[{C|M|T}*N] require params/count(M)==macs//count(C)",
    "sizes": "stage[{C|M}*N {C|M|T}*N {1|2}*N]",
    "train": "stage[C] train(lr={1e-9..1e9 log}, epochs={1..N}, batch={1..N})",
    "stem": "stem conv(N)*N stage[C]",
    "head": "stage[C] head norm*N gap linear(N) linear",
    "stages": "N",
}  # fmt: skip

# Conditions that hardly any member meets, so that looking for one takes long.
REQUIREMENTS = (
    "require depth<0", "require params<1", "require params==1234567", "require params*macs<=1",
    "require params<=1M and macs>=1M", "require not (params>=1K or macs>=1M)", "require count(M)*2==depth+1 and params<=3M",
)  # fmt: skip

NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    9,
    16,
    31,
    60,
    64,
    99,
    100,
    333,
    720,
    999,
    1000,
    3333,
    4999,
    5000,
    9999,
    10_000,
    10_001,
    65_536,
)
LARGE = (100_000, 720_720, 999_999, 1_000_000, 10**9, 10**12, 10**18 - 1, 10**18, 10**30)


def bomb(name: str, rng: random.Random) -> str:
    """One of them, every number chosen by chance."""
    text = BOMBS[name]
    required = " " + rng.choice(REQUIREMENTS) if "require" not in text and rng.random() < 0.25 else ""
    if text == "N":
        return "stage({4|8},stride=1)[C*{1..3} {M|}]\n" * rng.randrange(1, 60) + required
    one = str(rng.choice(NUMBERS + LARGE * rng.randrange(2)))
    alike = rng.randrange(2)
    parts = _split(text)
    return "".join(p if p != "N" else one if alike else str(rng.choice(NUMBERS)) for p in parts) + required


def with_number(name: str, number: int) -> str:
    """One of them, all its numbers the same."""
    if BOMBS[name] == "N":
        return "stage({4|8},stride=1)[C*{1..3} {M|}]\n" * min(number, 1500)
    return "".join(str(number) if part == "N" else part for part in _split(BOMBS[name]))


def _split(text: str) -> list[str]:
    """A text in pieces, `N` where a number belongs; names such as N1 stay."""
    return re.split(r"(?<![A-WYZa-wyz0-9])(N)(?![A-Za-wyz0-9])", text)
