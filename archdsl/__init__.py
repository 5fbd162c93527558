"""archdsl: a declarative language for vision architectures that mix convolution and self-attention, and their search.

`parse` and `hash` answer without importing PyTorch; `compile`, `train`, `analyze` and `search` import it when first used.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.errors import ArchdslError, SpecError
from archdsl.identity import spec_hash
from archdsl.language import parse

if TYPE_CHECKING:
    from archdsl.analyze_spec import analyze
    from archdsl.model import compile
    from archdsl.study import search
    from archdsl.train_spec import train

__version__ = "0.1.0"
__all__ = ["ArchdslError", "SpecError", "__version__", "analyze", "compile", "hash", "parse", "search", "train"]

_HOMES = {
    "analyze": "archdsl.analyze_spec",
    "compile": "archdsl.model",
    "search": "archdsl.study",
    "train": "archdsl.train_spec",
}


def hash(text_or_path: str | Path) -> str:
    """The hash of a spec: equal for files that describe the same network or the same space.

    >>> hash("stage[(C M)*2]") == hash("stage(64) [C M C M]  # spelled out")
    True
    """
    from archdsl.sources import read_spec

    return spec_hash(read_spec(text_or_path).spec())


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, so what needs it is imported on first use.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'archdsl' has no attribute '{name}'")
