"""The page's sections, one file each: typed results to markup; a section with nothing to say is empty."""
