"""The blocks a stage is made of, one file per family; a new file here registers itself."""

from __future__ import annotations

from archdsl.blocks.base import Block
from archdsl.registry import Registry

BLOCKS: Registry[type[Block]] = Registry("block", "archdsl.blocks")

__all__ = ["BLOCKS", "Block"]
