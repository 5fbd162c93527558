"""The smallest part of an input that still shows the same finding: pieces are left out as long as it does."""

from __future__ import annotations

import re

from .trial import Finding, try_input

_PIECES = re.compile(r"\w+|\s+|.", re.DOTALL)


def smallest(data: bytes, finding: Finding, tries: int = 400) -> bytes:
    """A part of `data` with a finding of the same key."""
    pieces = _PIECES.findall(data.decode("utf-8", "replace"))
    if not _shows("".join(pieces), finding):
        return data
    length = len(pieces) // 2
    while length and tries > 0:
        at = 0
        while at < len(pieces) and tries > 0:
            tries -= 1
            rest = pieces[:at] + pieces[at + length :]
            if _shows("".join(rest), finding):
                pieces = rest
            else:
                at += length
        length //= 2
    return "".join(pieces).encode()


def _shows(text: str, finding: Finding) -> bool:
    found = try_input(text.encode("utf-8", "replace")).finding
    return found is not None and found.key == finding.key
