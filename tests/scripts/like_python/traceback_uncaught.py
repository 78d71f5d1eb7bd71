"""An uncaught exception, chained, with notes, through several frames."""


def inner():
    raise ValueError("inner")


def outer():
    try:
        inner()
    except ValueError as error:
        problem = RuntimeError("outer")
        problem.add_note("a note")
        raise problem from error


outer()
