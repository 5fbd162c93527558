"""Serves editors of `.arch` files: a language server.

`server` speaks the protocol; everything else works on plain text and offsets and can be tested without it.
"""
