"""archdsl: a declarative language for vision architectures that mix convolution and self-attention, and their search.

Nothing is imported before it is used: `parse` and `hash` answer without PyTorch; `compile`, `load`, `train`,
`analyze`, `compare` and `search` import it.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # `typing` takes longer to import than all that is needed until the command can meet a Ctrl-C
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from archdsl.analyze_spec import analyze
    from archdsl.compare_networks import compare
    from archdsl.errors import ArchdslError, SpecError
    from archdsl.export.weights import load
    from archdsl.language import parse
    from archdsl.model import compile
    from archdsl.pretrained import load_timm
    from archdsl.study import search
    from archdsl.train_spec import train

__version__ = "0.1.0"
__all__ = [
    "ArchdslError",
    "SpecError",
    "__version__",
    "analyze",
    "compare",
    "compile",
    "hash",
    "load",
    "load_timm",
    "parse",
    "search",
    "train",
]

_HOMES = {
    "ArchdslError": "archdsl.errors",
    "SpecError": "archdsl.errors",
    "analyze": "archdsl.analyze_spec",
    "compare": "archdsl.compare_networks",
    "compile": "archdsl.model",
    "load": "archdsl.export.weights",
    "load_timm": "archdsl.pretrained",
    "parse": "archdsl.language",
    "search": "archdsl.study",
    "train": "archdsl.train_spec",
}


def hash(text_or_path: str | Path) -> str:
    """The hash of a spec: equal for files that describe the same network or the same space.

    >>> hash("stage[(C M)*2]") == hash("stage(64) [C M C M]  # spelled out")
    True
    """
    from archdsl.identity import spec_hash
    from archdsl.sources import read_spec

    return spec_hash(read_spec(text_or_path).spec())


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'archdsl' has no attribute '{name}'")
