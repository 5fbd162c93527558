"""Masks passwords in URLs."""

from __future__ import annotations

import re

# A password reaches as far as the last @, since it may hold one unquoted; in a longer text it ends at a space or quote.
_ALONE = re.compile(r"(\A(?:--[\w-]+=)?[\w+.-]+://[^/?#@:\s]*:).*@", re.DOTALL)
_AMONG = re.compile(r"(://[^/?#@:\s]*:)[^\s'\"]*@")
_IN_THE_QUERY = re.compile(r"([?&;][a-z_]*pass(?:word|wd)?=)[^&;\s'\"]*", re.IGNORECASE)


def masked(text: str) -> str:
    """The text, or the URL, with `***` in place of passwords; user, host and database stay.

    >>> masked("postgresql+psycopg://me:my s@cret@db:5432/x")
    'postgresql+psycopg://me:***@db:5432/x'
    >>> masked("archdsl search --storage postgresql+psycopg://me:secret@db/x --data npz:a@b")
    'archdsl search --storage postgresql+psycopg://me:***@db/x --data npz:a@b'
    >>> masked("postgresql+psycopg://db/x?user=me&password=secret"), masked("postgresql+psycopg://me@db/x")
    ('postgresql+psycopg://db/x?user=me&password=***', 'postgresql+psycopg://me@db/x')
    """
    return _IN_THE_QUERY.sub(r"\1***", _AMONG.sub(r"\1***@", _ALONE.sub(r"\1***@", text)))
