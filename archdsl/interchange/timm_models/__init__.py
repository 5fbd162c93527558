"""Specs as models of timm; `archdsl.timm_models` is the door to it."""
