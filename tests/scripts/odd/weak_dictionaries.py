import weakref
class K: pass
d = weakref.WeakKeyDictionary(); k = K(); d[k] = 1; print(len(d)); del k; print(len(d))
