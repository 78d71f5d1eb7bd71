"""Only imported by hand: the script's directory is not on the path when site looks."""
