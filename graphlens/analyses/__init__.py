"""Questions about a run, one a file. Analyses only read."""
