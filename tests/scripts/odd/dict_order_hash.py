# environment: PYTHONHASHSEED=42
print(hash("graph"), list({"a", "b", "c", "d"}))
