"""The `archdsl` command, `python -m archdsl` too: Ctrl-C is met from here on, also while the rest is imported."""

from __future__ import annotations

import _thread
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def main() -> None:
    """Run the command that `sys.argv` holds; see `archdsl.cli.main`."""
    sys.unraisablehook = _unraisable
    try:
        from archdsl.cli.main import main as command

        command()
    except KeyboardInterrupt:  # nothing has begun yet, or it is the second
        sys.stderr.write("interrupted\n")
        sys.stderr.flush()
        os._exit(3)  # half-imported modules need no farewell


def _unraisable(error: UnraisableHookArgs) -> None:
    """Let Ctrl-C come again a moment later where Python would drop it: in a finaliser, as at the end of each import."""
    if issubclass(error.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_interrupt, ())
    else:
        sys.__unraisablehook__(error)


def _interrupt() -> None:
    from signal import SIGINT

    time.sleep(0.01)
    os.kill(os.getpid(), SIGINT)


if __name__ == "__main__":
    main()
