import sys
class E: 
    def __str__(self): return "custom"
sys.exit(E())
