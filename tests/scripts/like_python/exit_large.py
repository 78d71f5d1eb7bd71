"""An exit code that does not fit into a byte."""
raise SystemExit(256 + 44)
