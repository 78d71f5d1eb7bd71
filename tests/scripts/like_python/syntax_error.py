"""Does not compile: the message is Python's."""
def broken(:
    pass
