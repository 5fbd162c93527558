"""Finds things by name: a new file in the folder of a registry enters itself, a typo gets a did-you-mean."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from archdsl.base.errors import ArchdslError, UnknownNameError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")
log = logging.getLogger(__name__)


class Registry(Generic[T]):
    """A mapping that fills itself from the modules of one package on first use.

    Args:
        noun: what one entry is called in errors ("block", "sampler").
        package: dotted name of the package whose modules register entries.
        group: of the entry points by which installed packages add entries of theirs; such a package is imported when
            its entry is asked for.
    """

    def __init__(self, noun: str, package: str, group: str | None = None) -> None:
        self.noun = noun
        self.package = package
        self.group = group
        self._entries: dict[str, T] = {}
        self._foreign: dict[str, EntryPoint] = {}
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
            if self.group is not None:
                self._find_foreign(self.group)
            self._loaded = True
        return self._entries

    def _find_foreign(self, group: str) -> None:
        from importlib.metadata import entry_points

        for point in entry_points(group=group):
            if point.name in self._entries:
                log.warning(
                    "%s '%s' of '%s' is left out: there is one of this name", self.noun, point.name, point.value
                )
            else:
                self._foreign[point.name] = point

    def _fetch(self, point: EntryPoint) -> T:
        """The entry of an installed package.

        Raises:
            ArchdslError: its package cannot be imported, or has no such thing.
        """
        try:
            thing = point.load()
        except Exception as error:  # whatever a foreign module does when it is imported
            raise ArchdslError(
                f"{self.noun} '{point.name}' cannot be loaded from '{point.value}': {type(error).__name__}: {error}",
                "mend or uninstall the package that brings it",
            ) from error
        if not callable(thing):
            raise ArchdslError(
                f"{self.noun} '{point.name}' is no function: '{point.value}' is a {type(thing).__name__}",
                "let the entry point name a function",
            )
        return self._entries.setdefault(point.name, cast(T, thing))

    def _names(self) -> set[str]:
        return {*self._load(), *self._foreign}

    def __getitem__(self, name: str) -> T:
        entries = self._load()
        if name in entries:
            return entries[name]
        if name in self._foreign:
            return self._fetch(self._foreign[name])
        raise UnknownNameError(self.noun, name, self._names())

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names()))

    def __len__(self) -> int:
        return len(self._names())
