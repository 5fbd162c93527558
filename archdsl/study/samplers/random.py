"""`random`: every hole decided evenly, no member twice; the yardstick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from archdsl import space
from archdsl.network import Architecture
from archdsl.study.samplers import SAMPLERS, Setting
from archdsl.study.samplers.members import MemberSampler


@SAMPLERS.register("random")
def random(setting: Setting) -> BaseSampler:
    """Draws without regard to the scores."""
    return Random(setting)


class Random(MemberSampler):
    """Draws, as many as it takes to find a new one."""

    def candidates(self, trials: Sequence[FrozenTrial]) -> Iterator[Architecture | None]:
        """Draws with every hole decided evenly."""
        while True:
            yield space.draw(self.spec, self.rng)
