import cProfile, pstats, io
p = cProfile.Profile(); p.enable(); sum(map(abs, range(10))); p.disable()
s = io.StringIO(); pstats.Stats(p, stream=s).print_stats(); print(s.getvalue().splitlines()[0].split("in")[0])
