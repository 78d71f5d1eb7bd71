"""A sibling module fails while it is imported: the traceback shows no frame of ours."""
import broken_sibling
