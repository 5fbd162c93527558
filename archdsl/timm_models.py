"""Specs as timm models: importing this makes `timm.create_model("archdsl/alternet_50")` work for every shipped spec.

    import archdsl.timm_models
    import timm

    timm.list_models("archdsl/*")
    model = timm.create_model("archdsl/alternet_18", num_classes=10, drop_path_rate=0.1)

`python -m archdsl.timm_models train.py …` does the same for the scripts of the timm repository.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from archdsl.base.errors import ArchdslError, SpecError
from archdsl.interchange.timm_models.entrypoints import UnknownModelError, enter_shipped, register
from archdsl.interchange.timm_models.network import TimmNetwork

__all__ = ["TimmNetwork", "UnknownModelError", "register"]

enter_shipped()


def main(arguments: list[str] | None = None) -> int:
    """Registers specs and runs a script; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m archdsl.timm_models",
        description="Run a script of the timm repository (train.py, validate.py, benchmark.py) with specs as models: "
        "--model archdsl/alternet_18",
    )
    parser.add_argument("--spec", action="append", default=[], metavar="FILE", help="register this file, too")
    parser.add_argument("script", help="the script, followed by its own arguments")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        if not Path(given.script).is_file():
            raise ArchdslError(
                f"no file '{given.script}'", "the scripts of timm stand in its repository, not in its wheel"
            )
        for spec in given.spec:
            sys.stderr.write(f"registered {register(Path(spec))}\n")
        sys.argv = [given.script, *given.arguments]
        sys.path[0] = str(Path(given.script).resolve().parent)  # as when Python runs the script itself
        runpy.run_path(given.script, run_name="__main__")
    except ArchdslError as error:
        sys.stderr.write(f"{error}\n" if isinstance(error, SpecError) else f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
