"""Composite blocks: a definition in the language becomes a block class, its arguments a tree of primitives.

In reading order: `scope`, names to classes and calls to blocks; `usage`, what items say of the parameters; `bindings`,
what values come to in one block; `expansion`, items to a tree; `definition`, a definition to its class.
"""
