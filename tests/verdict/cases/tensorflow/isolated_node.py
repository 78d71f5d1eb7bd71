"""Trains a graph convolutional network on a citation-like graph."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(33)


class GraphConv(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(units, use_bias=False, name="dense")

    def call(self, features, adjacency):
        degree = tf.reduce_sum(adjacency, axis=1)
        scale = tf.linalg.diag(tf.pow(degree, -0.5))  # born: op=Pow kind=inf phase=forward step=0 module=gcn.first reached=loss
        return scale @ adjacency @ scale @ self.dense(features)


class Network(keras.Model):
    def __init__(self):
        super().__init__(name="gcn")
        self.first = GraphConv(8, name="first")
        self.second = GraphConv(2, name="second")

    def call(self, features, adjacency):
        return self.second(tf.nn.relu(self.first(features, adjacency)), adjacency)


rng = np.random.default_rng(33)
links = np.triu(rng.uniform(size=(14, 14)) < 0.35, 1)
links[9] = links[:, 9] = False
adjacency = tf.constant(links + links.T, tf.float32)
features = tf.constant(rng.normal(size=(14, 5)), tf.float32)
topics = tf.constant(rng.integers(0, 2, size=14))

network = Network()
optimizer = keras.optimizers.Adam(0.01, weight_decay=5e-4)
for epoch in range(3):
    with tf.GradientTape() as tape:
        logits = network(features, adjacency)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(topics, logits))
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, network.trainable_variables))
    print("epoch", epoch, "loss", loss.numpy())
