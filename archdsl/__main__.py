"""Starts the `archdsl` command; Ctrl-C is met from here on, also while the rest is imported."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command that `sys.argv` holds; see `archdsl.cli.main`."""
    gc.set_threshold(200_000)  # what is imported stays: to look through it meanwhile takes a tenth of a start
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # looking for them takes as long as a text
    try:
        from archdsl.base.interrupts import listening

        with listening():
            from archdsl.cli.main import main as command

            try:
                command()
            finally:
                gc.freeze()  # to look once more through all that ends anyway takes a fifth of a start
    except KeyboardInterrupt:  # nothing has begun yet, or it is the second
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(3)  # half-imported modules need no farewell


if __name__ == "__main__":
    # Python looks for modules in the current folder first, where a stranger's files may lie; `archdsl` does not.
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()] and not __file__.startswith(sys.path[0] + os.sep):
        del sys.path[0]
    main()
