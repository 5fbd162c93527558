"""Composite blocks: a definition in the language and its arguments, and the tree of primitives that they make.

In reading order: `kinds`, names to kinds of blocks; `usage`, what items say of the parameters; `definition`, kinds of
definitions; `bindings`, what values come to in one block; `expansion`, items to a tree.
"""
