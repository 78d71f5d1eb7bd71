import gc
gc.disable(); gc.freeze(); print(gc.get_freeze_count() > 0, gc.isenabled()); gc.unfreeze()
