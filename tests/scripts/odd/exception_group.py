raise ExceptionGroup("many", [ValueError(1), ExceptionGroup("in", [TypeError("t")])])
