"""The space that tests search: sixteen networks of four places, each trained in a fraction of a second."""

TINY = """
model tiny
defaults(head_dim=4)
stem patch(4, k=4)
stage(4, heads=1) [{C|M}*2]
stage(8, heads=2, down=conv) [{C|M}*2]
"""


def tiny(epochs: int) -> str:
    """The space with a recipe of so many epochs."""
    return f"{TINY}train(epochs={epochs}, batch=32)\n"
