import logging
logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(module)s %(lineno)d %(funcName)s %(message)s")
def f(): logging.warning("w", stacklevel=1); logging.captureWarnings(True); import warnings; warnings.warn("x")
f()
