import random, os, uuid, secrets
random.seed(1); print(random.random(), random.getstate()[1][:2])
