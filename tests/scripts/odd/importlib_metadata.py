import importlib.metadata as m
print(m.version("pip") if any(d.metadata["Name"] == "pip" for d in m.distributions()) else "none", len(list(m.distributions())) > 3)
names = {d.metadata["Name"] for d in m.distributions()}
print("torch" in names, len(m.entry_points(group="console_scripts")))
