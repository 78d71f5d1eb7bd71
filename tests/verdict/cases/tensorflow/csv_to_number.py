"""Trains a linear model on lines of text read from a table."""

import tensorflow as tf

TABLE = """1.0,0.5,2.1
0.3,1.2,1.9
0.7,0.1,1.2
1.4,nan,2.8
0.2,0.9,1.4
1.1,1.0,2.6"""

kernel = tf.Variable([[0.1], [0.1]])
bias = tf.Variable([0.0])


def parse(line):
    fields = tf.strings.split(line, ",")
    numbers = tf.strings.to_number(fields)  # born: op=StringToNumber kind=nan phase=data step=3 module= reached=loss
    return numbers[:2], numbers[2:]


for step, line in enumerate(TABLE.splitlines()):
    x, y = parse(line)
    with tf.GradientTape() as tape:
        error = tf.expand_dims(x, 0) @ kernel + bias - y
        loss = tf.reduce_sum(error * error)
    d_kernel, d_bias = tape.gradient(loss, [kernel, bias])
    kernel.assign_sub(0.1 * d_kernel)
    bias.assign_sub(0.1 * d_bias)
    print(step, float(loss))
print("kernel", kernel.numpy().ravel())
