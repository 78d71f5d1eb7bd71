"""The part of graphlens that runs inside the traced process, and the vocabulary both sides share.

Standard library only. It imports nothing by itself: `arrival` starts a tracer when its framework
is first imported.
"""
