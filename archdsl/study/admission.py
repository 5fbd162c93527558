"""A screen in, a yes or no for every member out: it admits those that score as well as the better part of the space."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from archdsl import ir, space
from archdsl.base.errors import RunError, StudyError
from archdsl.base.files import one_at_a_time, write_atomically
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.network import Architecture
from archdsl.network.identity import spec_hash
from archdsl.study.baselines import baselines
from archdsl.study.candidate import key_of
from archdsl.study.screens import SCREENS, Screen, Setting
from archdsl.study.watch import Watch

SAMPLE = 256  # members from which the threshold is taken; all of them in a space that has no more
SHARE = 0.5  # of the sample that is admitted
BETWEEN = 32  # new scores before the file is written


class Admission:
    """Admits the members whose score is at least that of the better part of a sample of the space.

    Scores and threshold are kept in `screen.json` of the folder: a resumed search decides as before, and scores no
    network twice, whatever recipes it comes with. Members that a screen knows nothing of (NaN) are admitted, and so
    are the baselines, which a search trains to compare with.

    Args:
        name: of the screen.
        setting: what it is made for.
        watch: is told.
        share: of the sample that is admitted at least; ties admit more.
        sample: how many members are drawn.

    Raises:
        StudyError: the folder holds the scores of another screen, or damaged ones.
    """

    def __init__(
        self, name: str, setting: Setting, watch: Watch | None = None, *, share: float = SHARE, sample: int = SAMPLE
    ) -> None:
        self.name, self.setting, self.watch, self.share, self.sample = name, setting, watch or Watch(), share, sample
        self.screen: Screen = SCREENS[name](setting)
        self._prepared = False
        self._exempt = {key_of(member) for member in baselines(setting.spec).values()}
        self._scores: dict[str, float] = {}
        self._threshold: float | None = None
        self._unwritten = 0
        self._read()

    def score(self, architecture: Architecture) -> float:
        """The screen's number for a member, computed once; NaN too where memory did not suffice for it."""
        key = architecture.hash
        if key not in self._scores:
            if not self._prepared:
                self.screen.prepare()
                self._prepared = True
            try:
                self._scores[key] = self.screen.score(architecture)
            except RunError as error:
                self.watch.say(f"screen {self.name}: {error.message}")
                self._scores[key] = math.nan
            self._unwritten += 1
            if self._threshold is not None or self._unwritten >= BETWEEN:
                self._write()
        return self._scores[key]

    @property
    def threshold(self) -> float:
        """The score from which on members are admitted."""
        self.prepare()
        return -math.inf if self._threshold is None else self._threshold

    def prepare(self) -> None:
        """Score the sample, if that is not done: what may take long, while `admits` is quick afterwards."""
        if self._threshold is not None:
            return
        if self._path is None:
            self._score_sample()
            return
        # Processes that share a folder would all train one supernet into one file; the first does, the others read.
        with one_at_a_time(self._path.with_name("screen.lock")):
            self._read()
            if self._threshold is None:
                self._score_sample()

    def _score_sample(self) -> None:
        self.watch.say(f"screen {self.name}: scoring a sample of the space")
        members = space.sample(self.setting.spec, self.sample, self.setting.seed)
        found = []
        for number, member in enumerate(members, start=1):
            found.append(self.score(member))
            self.watch.step(number, len(members))
        self._threshold = threshold_of(found, self.share)
        self._write()
        kept = sum(not score < self._threshold for score in found)
        self.watch.say(f"screen {self.name}: admits {kept} of the {len(found)} members scored")

    def admits(self, architecture: Architecture) -> bool:
        """Whether a member is worth training."""
        return self.reason(architecture) is None

    def reason(self, architecture: Architecture) -> str | None:
        """Why a member is not admitted, in words; None where it is."""
        threshold = self.threshold
        if key_of(architecture) in self._exempt or not (score := self.score(architecture)) < threshold:
            return None
        return f"screen {self.name}: {score:.6g} is below {threshold:.6g}"

    # ---- the file ----

    def _identity(self) -> dict[str, Any]:
        setting = self.setting
        return {
            "screen": self.name, "spec": spec_hash(setting.spec), "data": setting.data.digest,
            "recipe": setting.recipe.model_dump(), "seed": setting.seed, "share": self.share, "sample": self.sample,
        }  # fmt: skip

    @property
    def _path(self) -> Path | None:
        return None if self.setting.folder is None else self.setting.folder / "screen.json"

    def _read(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            identity = found["identity"]
            scores = {key: float(value) for key, value in found["scores"].items()}
            threshold = None if found["threshold"] is None else float(found["threshold"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise StudyError(f"'{self._path}' is damaged", "remove it; the members are scored again") from None
        if identity != self._identity():
            differing = [key for key, value in self._identity().items() if identity.get(key) != value]
            raise StudyError(
                f"'{self._path}' holds the scores of another screen; different: {', '.join(differing)}",
                "choose another folder",
            )
        self._scores, self._threshold = scores, threshold

    def _write(self) -> None:
        self._unwritten = 0
        if self._path is None:
            return
        document = {
            "identity": self._identity(),
            "threshold": None if self._threshold is None else _plain(self._threshold),
            "scores": {key: _plain(score) for key, score in self._scores.items()},
        }
        write_atomically(self._path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def threshold_of(scores: list[float], share: float) -> float:
    """The score that `share` of the known ones reach, rounded up to whole members; -inf where none is known.

    >>> threshold_of([4.0, 1.0, 3.0, 2.0, float("nan")], 0.5)
    3.0
    """
    known = sorted((score for score in scores if not math.isnan(score)), reverse=True)
    return known[max(1, math.ceil(share * len(known))) - 1] if known else -math.inf


def make_screen(
    name: str, spec: ir.Spec, data: Dataset, recipe: Recipe, seed: int = 0, device: torch.device | str = "cpu",
    folder: Path | None = None, watch: Watch | None = None,
) -> Admission:  # fmt: skip
    """A screen with its threshold, for a search.

    Args:
        name: of the screen.
        spec, data, recipe, seed, device: as the search has them.
        folder: the run's, for `screen.json` and a supernet's weights.
        watch: is told.

    Raises:
        UnknownNameError: there is no such screen.
        StudyError: the folder holds the scores of another one.
    """
    watch = watch or Watch()
    setting = Setting(spec, data, recipe, seed, torch.device(device), folder, watch.step, watch.say)
    return Admission(name, setting, watch)


def _plain(score: float) -> float | str:
    """JSON knows no NaN and no infinity; `float` reads them back from text."""
    return score if math.isfinite(score) else str(score)
