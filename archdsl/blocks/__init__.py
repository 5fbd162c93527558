"""The primitive blocks, one file per family (a new file here registers itself).

Blocks made of others are said in the language itself, in `grammars/prelude.arch`.
"""

from __future__ import annotations

from collections.abc import Callable

from archdsl.base.registry import Registry
from archdsl.blocks.base import Block


class _Blocks(Registry[type[Block]]):
    def register(self, name: str) -> Callable[[type[Block]], type[Block]]:
        """As for every registry; the class learns its name, too."""
        enter = super().register(name)

        def named(block: type[Block]) -> type[Block]:
            block.kind_name = name
            return enter(block)

        return named


BLOCKS = _Blocks("block", "archdsl.blocks.primitives")

__all__ = ["BLOCKS", "Block"]
