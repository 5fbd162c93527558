"""Saves the state of a training in a checkpoint, and puts it back where it is the same training."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from archdsl.base import checkpoint
from archdsl.base.errors import StudyError
from archdsl.base.metrics import Metrics
from archdsl.data import Dataset
from archdsl.ir.recipe import Recipe
from archdsl.training.optimizer import AdamW, Average

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        number: from 1.
        train_loss: mean loss over its steps, with label smoothing and augmentation.
        metrics: on the validation split, after it.
        seconds: wall time, evaluation included.
        images_per_second: rate of the training steps alone.
    """

    number: int
    train_loss: float
    metrics: Metrics
    seconds: float
    images_per_second: float


def identity(
    model: nn.Module, data: Dataset, recipe: Recipe, seed: int, metadata: Mapping[str, str] | None
) -> dict[str, str]:
    """Everything that must agree for a checkpoint to belong to a training; the caller's own entries are among it."""
    shapes = [(name, list(tensor.shape)) for name, tensor in model.state_dict().items()]
    return {
        **(metadata or {}),
        "train.format": "1",
        "train.network": hashlib.sha256(json.dumps(shapes).encode()).hexdigest(),
        "train.data": data.digest,
        "train.recipe": recipe.model_dump_json(),
        "train.seed": str(seed),
    }


def kept_path(path: Path, epoch: int) -> Path:
    """Where the weights after an epoch are kept.

    >>> kept_path(Path("runs/model.safetensors"), 3).as_posix()
    'runs/model-epoch3.safetensors'
    """
    return path.with_name(f"{path.stem}-epoch{epoch}{path.suffix}")


@dataclass(frozen=True)
class Resumable:
    """One training and the file its state is kept in.

    No random state is stored: every epoch seeds its own generators from the training's seed and its number.
    """

    path: Path
    identity: Mapping[str, str]
    model: nn.Module
    optimizer: AdamW
    average: Average | None

    def save(self, curve: Sequence[Epoch], *, last: bool) -> None:
        """Writes the state after an epoch; after the last one, the optimiser's (two thirds of it) is left out."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"ema.{k}": v for k, v in self.average.model.state_dict().items()}
        if not last:
            for name, parameter in self.model.named_parameters():
                for key, value in self.optimizer.state.get(parameter, {}).items():
                    tensors[f"optimizer.{key}.{name}"] = value
        story = json.dumps([asdict(epoch) for epoch in curve])
        checkpoint.save(self.path, tensors, {**self.identity, "train.curve": story})

    def keep(self, curve: Sequence[Epoch]) -> None:
        """Writes the weights that an epoch was evaluated with to a file of their own beside the state."""
        model, prefix = (self.model, "model") if self.average is None else (self.average.model, "ema")
        tensors = {f"{prefix}.{k}": v for k, v in model.state_dict().items()}
        story = json.dumps([asdict(epoch) for epoch in curve])
        checkpoint.save(
            kept_path(self.path, len(curve)),
            tensors,
            {**self.identity, "train.format": "weights", "train.curve": story},
        )

    def restore(self) -> list[Epoch]:
        """Puts the saved state in place and returns the epochs done; none if there is nothing to resume.

        A broken file is renamed to `….corrupt` with a warning, and the training starts anew.

        Raises:
            StudyError: the file belongs to another training, and is left alone.
        """
        if not self.path.exists():
            return []
        try:
            tensors, metadata = checkpoint.load(self.path)
        except StudyError as error:
            _log.warning("%s; kept as '%s', training starts anew", error.message, checkpoint.set_aside(self.path))
            return []
        self._compare(metadata)
        self._put(tensors)
        return [
            Epoch(**{**epoch, "metrics": Metrics(**epoch["metrics"])}) for epoch in json.loads(metadata["train.curve"])
        ]

    def _compare(self, metadata: Mapping[str, str]) -> None:
        differing = [key for key, value in self.identity.items() if metadata.get(key) != value]
        if not differing:
            return
        key = differing[0]
        what = key.removeprefix("train.")
        if key == "train.recipe" and key in metadata:
            was, now = (json.loads(text) for text in (metadata[key], self.identity[key]))
            what = ", ".join(f"{k} was {was.get(k)}, is {now.get(k)}" for k in now if was.get(k) != now.get(k))
        raise StudyError(
            f"the checkpoint '{self.path}' belongs to another training ({what} differs)"
            if key != "train.recipe"
            else f"the checkpoint '{self.path}' belongs to another training ({what})",
            "name another checkpoint, or remove this one to start anew",
        )

    @torch.no_grad()
    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        if self.average is not None:
            self.average.model.load_state_dict(part("ema."))
        for name, parameter in self.model.named_parameters():
            for key in ("step", "exp_avg", "exp_avg_sq"):
                saved = tensors.get(f"optimizer.{key}.{name}")
                if saved is not None:
                    # The fused kernel walks memory, so the moments must have the parameter's own strides.
                    like = torch.zeros_like(parameter) if saved.shape == parameter.shape else saved.to(parameter.device)
                    self.optimizer.state.setdefault(parameter, {})[key] = like.copy_(saved)
