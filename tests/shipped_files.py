"""The `.arch` files that come with archdsl: its specs and the prelude."""

from __future__ import annotations

from archdsl.base import resources

SHIPPED = [*resources.shipped_specs().values(), resources.folder("grammars") / "prelude.arch"]
