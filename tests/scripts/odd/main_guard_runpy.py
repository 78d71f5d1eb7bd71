import runpy
open("other.py", "w").write("print(__name__, __file__)")
print(sorted(runpy.run_path("other.py", run_name="r"))[:3])
