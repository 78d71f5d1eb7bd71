def fail():
    raise RuntimeError("while importing")


fail()
