"""Names the modules inside of a block, each differently and unlike what modules have already."""

from __future__ import annotations

# What modules have already, so that no part can be called so (`nn.Sequential`, and our own in `archdsl.blocks.layers`).
_TAKEN_NAMES = """
    T_destination act_out add_module append apply bfloat16 branch branches buffers call_super_init children compile cpu
    cuda double drop_path dump_patches eval extend extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half insert ipu join load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters parameters pop requires_grad_ set_extra_state set_submodule share_memory shared shortcut state_dict
    to to_empty train training type xpu zero_grad
"""
TAKEN_NAMES = frozenset(_TAKEN_NAMES.split())


def free_name(name: str, taken: dict[str, int]) -> str:
    """A module name that is not taken yet: the name itself, else numbered from 2; it is taken from then on.

    Args:
        name: what the module would be called.
        taken: the names so far, each with the number at which to go on.
    """
    plain = name not in TAKEN_NAMES and not name.startswith(("register_", "_"))
    if plain and name not in taken:
        taken[name] = 2
        return name
    number = taken.get(name, 2)
    while (found := f"{name}{number}") in taken:
        number += 1
    taken[name] = number + 1
    taken[found] = 2
    return found
