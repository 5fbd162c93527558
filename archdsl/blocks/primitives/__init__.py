"""The primitive blocks, one file per family; a new file here registers itself."""
