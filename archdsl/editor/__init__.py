"""The language server for `.arch` files: text as it is being written in, what editors show of it out.

`server` speaks the protocol; everything else works on plain text and offsets and can be tested without it.
"""
