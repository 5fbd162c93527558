"""Repeats a forward pass that differs in one unit, without running again what comes before that unit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

LIMIT = 2**30  # bytes of outputs that are kept of one batch


class Prefix:
    """The outputs of units in one pass over a batch.

    A unit is replayed where it had finished when the changed one began, it runs once in a pass, it is given tensors and
    constants alone and writes into none, and nothing has written into its output since. Where not all outputs fit into
    memory, the first units come first: they serve most passes.

    What a unit does to anything else (a list that its parent holds, say) is not seen here: whoever replays compares a
    pass with the recorded one, and turns replay off where they differ.
    """

    def __init__(self, modules: Sequence[nn.Module], limit: int = LIMIT) -> None:
        self._modules = modules
        self._limit = limit
        self._hooked = {i for i, m in enumerate(modules) if m._forward_hooks or m._forward_pre_hooks}  # by its owner
        self._clear()

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """The pass that runs inside is the one that others will differ from."""
        self._clear()

        def before(index: int) -> Any:
            def hook(module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
                self._began.setdefault(index, self._clock)
                self._given[index] = _versions(inputs, options)

            return hook

        def after(index: int) -> Any:
            def hook(module: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any], output: Any) -> None:
                self._clock += 1
                self._runs[index] = self._runs.get(index, 0) + 1
                given = self._given[index]
                if given is not None and given == _versions(inputs, options):
                    self._keep(index, output)

            return hook

        handles = [m.register_forward_pre_hook(before(i), with_kwargs=True) for i, m in enumerate(self._modules)]
        handles += [m.register_forward_hook(after(i), with_kwargs=True) for i, m in enumerate(self._modules)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextlib.contextmanager
    def replayed(self, index: int | None) -> Iterator[None]:
        """Units that had finished when this one began (None: all) give what they gave, as long as this lasts."""
        began = self._clock if index is None else self._began.get(index, 0)
        changed = []
        try:
            for unit, (output, version, ended) in self._kept.items():
                if ended <= began and self._runs[unit] == 1 and output._version == version:
                    module = self._modules[unit]
                    changed.append((module, module.__dict__.get("forward")))
                    module.__dict__["forward"] = _giving(output)
            yield
        finally:
            for module, own in reversed(changed):
                if own is None:
                    del module.__dict__["forward"]
                else:
                    module.__dict__["forward"] = own

    @property
    def on(self) -> bool:
        """Whether there is anything to replay."""
        return bool(self._kept)

    def turn_off(self) -> None:
        """Nothing is kept or replayed any more."""
        self._limit = 0
        self._clear()

    def _clear(self) -> None:
        self._clock = 0  # how many units have finished
        self._began: dict[int, int] = {}
        self._given: dict[int, list[int] | None] = {}  # versions of what came in
        self._runs: dict[int, int] = {}
        self._kept: dict[int, tuple[Tensor, int, int]] = {}  # output, its version, when the unit ended
        self._bytes = 0

    def _keep(self, index: int, output: Any) -> None:
        if index in self._hooked or not isinstance(output, Tensor):
            return
        size = output.numel() * output.element_size()
        if self._bytes + size <= self._limit:
            self._bytes += size
            self._kept[index] = output, output._version, self._clock


def _versions(inputs: tuple[Any, ...], options: dict[str, Any]) -> list[int] | None:
    """How often each tensor was written into; None where there is something else that could be."""
    given = [*inputs, *options.values()]
    if not all(value is None or isinstance(value, (Tensor, bool, int, float, str)) for value in given):
        return None
    return [value._version for value in given if isinstance(value, Tensor)]


def _giving(output: Tensor) -> Any:
    return lambda *inputs, **options: output
