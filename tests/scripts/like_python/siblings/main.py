"""Beside it lie modules called like ours: it gets its own, but for the one name that is ours."""
import graphlens
import graphlens_tui
import sitecustomize
import tracers

print(graphlens.WHOSE, tracers.WHOSE, graphlens_tui.WHOSE, sitecustomize.__name__)
