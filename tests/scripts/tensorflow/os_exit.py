"""A process that ends at once, in the middle of a loop, with a thread of its own."""
import os
import sys
import threading

import tensorflow as tf

thread = threading.Thread(target=lambda: print(tf.exp(tf.constant([1.0])).numpy()))
thread.start()
thread.join()
weight = tf.Variable(1.0)
for k in range(4):
    with tf.GradientTape() as tape:
        loss = weight**2.0
    weight.assign_sub(0.1 * tape.gradient(loss, weight))
    print(k, loss.numpy())
    sys.stdout.flush()
    if k == 2:
        os._exit(5)
