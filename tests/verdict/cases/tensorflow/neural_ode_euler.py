"""Learns the growth rate of a population by integrating its differential equation."""

import numpy as np
import tensorflow as tf

growth = tf.Variable(1.2, name="growth")
crowding = tf.Variable(-0.05, name="crowding")
observed = tf.constant(10.0 / (1.0 + 9.0 * np.exp(-np.linspace(0, 2, 5))), tf.float32)
optimizer = tf.keras.optimizers.Adam(0.02)


def derivative(population):
    return growth * population - crowding * population**3  # born: op=Pow kind=inf phase=forward step=0 module= reached=loss iteration=9


@tf.function
def integrate(start, steps=40, width=0.1):
    population = start
    t = tf.constant(0)
    while t < steps:
        population = population + width * derivative(population)
        t += 1
    return population


for step in range(3):
    with tf.GradientTape() as tape:
        end = integrate(observed)
        loss = tf.reduce_mean(tf.square(end / 10.0 - 1.0))
    gradients = tape.gradient(loss, [growth, crowding])
    optimizer.apply_gradients(zip(gradients, [growth, crowding]))
    print(f"{step}: loss {loss.numpy():.4g} growth {growth.numpy():.3f}")
