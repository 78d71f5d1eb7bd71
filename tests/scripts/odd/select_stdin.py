# stdin: data
import select, sys; print(bool(select.select([sys.stdin], [], [], 1)[0]))
