"""Finds the text of a spec: by a path, by a shipped name, on standard input, or given as it is."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from archdsl import ir
from archdsl.base import resources
from archdsl.base.errors import ArchdslError, did_you_mean
from archdsl.language import parse
from archdsl.language.brackets import MAX_CHARACTERS


@dataclass(frozen=True)
class Source:
    """A text and what error messages call it."""

    text: str
    path: str

    def spec(self) -> ir.Spec:
        """The IR of the text.

        Raises:
            SpecError: with every mistake found.
        """
        return parse(self.text, self.path)


def read_file(name: str) -> Source:
    """The text of FILE as the command line takes it: a path, a name from `specs/`, or `-` for standard input.

    Raises:
        ArchdslError: there is no such file, or it is not a text.
    """
    if name == "-":
        return Source(_decode(sys.stdin.buffer.read(MAX_CHARACTERS * 4 + 1), "<stdin>"), "<stdin>")
    path = Path(name)
    shipped = resources.shipped_specs()
    try:
        if not path.exists() and path.name == name and name.removesuffix(".arch") in shipped:
            path = shipped[name.removesuffix(".arch")]
        if not name:  # which Path takes for the current folder
            raise FileNotFoundError
        if path.is_dir():
            raise ArchdslError(f"'{name}' is a folder", "name a .arch file")
        with path.open("rb") as file:
            # One byte more than is allowed tells a huge file without reading it whole.
            data = file.read(MAX_CHARACTERS * 4 + 1)
    except FileNotFoundError:
        help = did_you_mean(name, shipped) or f"shipped specs are: {', '.join(shipped)}"
        raise ArchdslError(f"no file '{name}'", help) from None
    except OSError as error:
        shown = name if len(name) <= 100 else f"{name[:100]}…"
        raise ArchdslError(f"'{shown}' cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in the name
        raise ArchdslError(f"{name!r} is not a file name") from None
    return Source(_decode(data, name), name)


def read_spec(text_or_path: str | Path) -> Source:
    """A spec as the Python functions take it: a path, a shipped name, or the text itself."""
    if isinstance(text_or_path, Path):
        return read_file(str(text_or_path))
    is_path = text_or_path.endswith(".arch") and "\n" not in text_or_path  # such as results[1].arch
    looks_like_text = not is_path and (any(c in text_or_path for c in "[\n{") or not text_or_path.strip())
    return Source(text_or_path, "<text>") if looks_like_text else read_file(text_or_path)


def _decode(data: bytes, name: str) -> str:
    if len(data) > MAX_CHARACTERS * 4:
        raise ArchdslError(f"'{name}' has more than {MAX_CHARACTERS:,} characters", "a spec is a short text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ArchdslError(
            f"'{name}' is not a text file (byte {error.start:,} is not UTF-8)", "a spec is plain UTF-8 text"
        ) from None
