# environment: PYTHONPYCACHEPREFIX=cache
import sys; print(sys.pycache_prefix)
