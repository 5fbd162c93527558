"""The sections of a search's page, one file each; a section with nothing to say is empty."""
