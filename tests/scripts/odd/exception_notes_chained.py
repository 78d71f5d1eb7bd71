try:
    try: 1 / 0
    except ZeroDivisionError as e: e.add_note("note"); raise KeyError("k") from e
except KeyError as e:
    raise RuntimeError("end")
