"""archdsl: a declarative language for vision architectures that mix convolution and self-attention, and their search.

Nothing is imported before it is used: `parse` and `hash` answer without PyTorch; `compile`, `load`, `train`,
`analyze`, `compare` and `search` import it.
"""

from __future__ import annotations

import importlib

from archdsl.base.version import VERSION

TYPE_CHECKING = False  # `typing` takes longer to import than all that is needed until the command can meet a Ctrl-C
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from archdsl.api.analyze import analyze
    from archdsl.api.compare import compare
    from archdsl.api.compile import compile
    from archdsl.api.search import search
    from archdsl.api.train import train
    from archdsl.base.errors import ArchdslError, SpecError
    from archdsl.interchange.export.weights import load
    from archdsl.interchange.pretrained import load_timm
    from archdsl.language import parse

__version__ = VERSION
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
    "ArchdslError": "archdsl.base.errors",
    "SpecError": "archdsl.base.errors",
    "analyze": "archdsl.api.analyze",
    "compare": "archdsl.api.compare",
    "compile": "archdsl.api.compile",
    "html": "archdsl.drawing",
    "load": "archdsl.interchange.export.weights",
    "load_timm": "archdsl.interchange.pretrained",
    "parse": "archdsl.language",
    "search": "archdsl.api.search",
    "train": "archdsl.api.train",
}


def hash(text_or_path: str | Path) -> str:
    """The hash of a spec: equal for files that describe the same network or the same space.

    >>> hash("stage[(C M)*2]") == hash("stage(64) [C M C M]  # spelled out")
    True
    """
    from archdsl.language.sources import read_spec
    from archdsl.network.identity import spec_hash

    return spec_hash(read_spec(text_or_path).spec())


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'archdsl' has no attribute '{name}'")
