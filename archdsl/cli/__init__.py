"""The command line: flags in, a call of the library, its result printed. PyTorch is imported only where it is needed.

One file per group of commands; `main` is the entry point of the `archdsl` command.
"""

from archdsl.cli.main import main

__all__ = ["main"]
