"""Defines the intermediate representation: a spec as frozen, typed data with its holes; JSON in and out."""

from __future__ import annotations

from archdsl.ir.nodes import (
    LANGUAGE_VERSION as LANGUAGE_VERSION,
)
from archdsl.ir.nodes import (
    SIDE_BY_SIDE as SIDE_BY_SIDE,
)
from archdsl.ir.nodes import (
    STRUCTURES as STRUCTURES,
)
from archdsl.ir.nodes import (
    AnyHole as AnyHole,
)
from archdsl.ir.nodes import (
    Arithmetic as Arithmetic,
)
from archdsl.ir.nodes import (
    BlockDefinition as BlockDefinition,
)
from archdsl.ir.nodes import (
    BlockSpec as BlockSpec,
)
from archdsl.ir.nodes import (
    ChoiceSpec as ChoiceSpec,
)
from archdsl.ir.nodes import (
    Combine as Combine,
)
from archdsl.ir.nodes import (
    Comparison as Comparison,
)
from archdsl.ir.nodes import (
    Condition as Condition,
)
from archdsl.ir.nodes import (
    CountableHole as CountableHole,
)
from archdsl.ir.nodes import (
    Expression as Expression,
)
from archdsl.ir.nodes import (
    FloatRange as FloatRange,
)
from archdsl.ir.nodes import (
    IfSpec as IfSpec,
)
from archdsl.ir.nodes import (
    IntRange as IntRange,
)
from archdsl.ir.nodes import (
    Item as Item,
)
from archdsl.ir.nodes import (
    Items as Items,
)
from archdsl.ir.nodes import (
    Letter as Letter,
)
from archdsl.ir.nodes import (
    Logic as Logic,
)
from archdsl.ir.nodes import (
    MeasureSpec as MeasureSpec,
)
from archdsl.ir.nodes import (
    Node as Node,
)
from archdsl.ir.nodes import (
    Objective as Objective,
)
from archdsl.ir.nodes import (
    ParameterSpec as ParameterSpec,
)
from archdsl.ir.nodes import (
    Pick as Pick,
)
from archdsl.ir.nodes import (
    Place as Place,
)
from archdsl.ir.nodes import (
    RepeatSpec as RepeatSpec,
)
from archdsl.ir.nodes import (
    Scalar as Scalar,
)
from archdsl.ir.nodes import (
    Spec as Spec,
)
from archdsl.ir.nodes import (
    StageSpec as StageSpec,
)
from archdsl.ir.nodes import (
    Total as Total,
)
from archdsl.ir.nodes import (
    Value as Value,
)
from archdsl.ir.nodes import (
    Variable as Variable,
)
from archdsl.ir.nodes import (
    first_hole as first_hole,
)
from archdsl.ir.nodes import (
    holes as holes,
)
from archdsl.ir.nodes import (
    holes_in as holes_in,
)
from archdsl.ir.nodes import (
    json_schema as json_schema,
)
from archdsl.ir.nodes import (
    repeats as repeats,
)
from archdsl.ir.nodes import (
    walk as walk,
)
