import warnings

if __name__ == "warning_sibling" and any(f[0] == "default" for f in warnings.filters[:1]):
    warnings.warn("the importer is told", UserWarning, stacklevel=2)
