# environment: PYTHONWARNINGS=error::UserWarning
import warnings
try: warnings.warn("u")
except UserWarning as e: print("raised", e)
warnings.warn("d", DeprecationWarning); print(warnings.filters[:2])
