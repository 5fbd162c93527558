"""Names to things: a new file in a registry's folder registers itself, and a typo gets a did-you-mean."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from archdsl.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping that fills itself from the modules of one package on first use.

    Args:
        noun: what one entry is called in errors ("block", "sampler").
        package: dotted name of the package whose modules register entries.
    """

    def __init__(self, noun: str, package: str) -> None:
        self.noun = noun
        self.package = package
        self._entries: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters a thing under `name`; a name taken by something else is a programming error."""

        def enter(thing: T) -> T:
            if name in self._entries and self._entries[name] is not thing:
                raise ValueError(f"{self.noun} '{name}' is registered twice")
            self._entries[name] = thing
            return thing

        return enter

    def _load(self) -> dict[str, T]:
        if not self._loaded:
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            self._loaded = True
        return self._entries

    def __getitem__(self, name: str) -> T:
        entries = self._load()
        if name not in entries:
            raise UnknownNameError(self.noun, name, entries)
        return entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._load()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._load()))

    def __len__(self) -> int:
        return len(self._load())
