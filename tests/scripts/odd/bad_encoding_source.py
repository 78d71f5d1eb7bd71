# -*- coding: latin-1 -*-
s = "café"
print(ascii(s))
