"""Defines the shapes that flow between blocks (a feature map, tokens on a grid, a vector) and the error of a misfit."""

from __future__ import annotations

from typing import NamedTuple

from archdsl.base.errors import Span


class Shape(NamedTuple):
    """The shape of one example.

    A map has `height` and `width`; tokens have them too (the grid they were cut from) plus `prefix` class tokens in
    front; a vector has neither.

    >>> Shape(64, 8, 8).dims, Shape(192, 16, 16, prefix=1).dims, Shape(10, 0, 0).dims
    ([64, 8, 8], [257, 192], [10])
    """

    channels: int
    height: int
    width: int
    prefix: int = 0

    @property
    def is_map(self) -> bool:
        """(C, H, W) without class tokens."""
        return self.height > 0 and self.prefix == 0

    @property
    def is_tokens(self) -> bool:
        """(N, C) with class tokens in front."""
        return self.prefix > 0

    @property
    def is_vector(self) -> bool:
        """(C,)."""
        return self.height == 0

    @property
    def positions(self) -> int:
        """How many positions hold a channel vector."""
        return 1 if self.is_vector else self.height * self.width + self.prefix

    @property
    def dims(self) -> list[int]:
        """The tensor's shape without the batch: [C, H, W], [N, C] or [C]."""
        if self.is_vector:
            return [self.channels]
        return [self.positions, self.channels] if self.prefix else [self.channels, self.height, self.width]

    def __str__(self) -> str:
        if self.is_vector:
            return f"a vector of {self.channels}"
        if self.prefix:
            return f"{self.positions} tokens of {self.channels}"
        return f"a map of {self.channels}x{self.height}x{self.width}"


class ShapeError(Exception):
    """A block does not fit what flows into it.

    Attributes:
        message: what does not fit, with the numbers.
        argument: the argument at fault, None for the block as a whole.
        help: what would fit.
        span: where in the text, when that is inside of a composite block; None for the place where the block is used.
    """

    def __init__(
        self, message: str, argument: str | None = None, help: str | None = None, span: Span | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.argument = argument
        self.help = help
        self.span = span


def divisors_near(number: int, wanted: int, count: int = 4) -> str:
    """The divisors of `number` nearest to `wanted`, for help lines.

    >>> divisors_near(32, 7)
    '8, 4, 2 or 1'
    """
    divisors = [d for d in range(1, min(number, 100_000) + 1) if number % d == 0]
    near = [str(d) for d in sorted(divisors, key=lambda d: abs(d - wanted))[:count]]
    return near[0] if len(near) == 1 else f"{', '.join(near[:-1])} or {near[-1]}"
