import tempfile, os
with tempfile.TemporaryDirectory(dir=".") as d: open(os.path.join(d, "x"), "w").close(); print(os.listdir(d))
print(os.listdir("."))
