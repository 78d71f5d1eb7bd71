import sys
seen = []
sys.addaudithook(lambda e, a: seen.append(e) if e in ("open", "import", "exec", "compile") else None)
import colorsys
open("x.txt", "w").close()
compile("1", "<s>", "eval")
print(seen)
