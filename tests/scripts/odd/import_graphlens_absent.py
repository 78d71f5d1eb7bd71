try:
    import graphlens_tracers_x
except ModuleNotFoundError as e: print(e)
import sys
print([m for m in sys.modules if "graphlens" in m or "tracers" in m])
