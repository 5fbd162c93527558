"""Specs as timm models: importing this makes `timm.create_model("archdsl/alternet_50")` work for every shipped spec.

    import archdsl.timm_models
    import timm

    timm.list_models("archdsl/*")
    model = timm.create_model("archdsl/alternet_18", num_classes=10, drop_path_rate=0.1)

`python -m archdsl.timm_models train.py …` does the same for the scripts of the timm repository.
"""

from __future__ import annotations

from archdsl.timm_models.entrypoints import UnknownModelError, enter_shipped, register
from archdsl.timm_models.network import TimmNetwork

__all__ = ["TimmNetwork", "UnknownModelError", "register"]

enter_shipped()
