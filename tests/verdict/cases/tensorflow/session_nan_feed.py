"""Trains a matrix factorisation on ratings that are fed into a session."""

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
rng = np.random.default_rng(26)
users, films = rng.integers(0, 10, 60), rng.integers(0, 8, 60)
ratings = rng.integers(1, 6, 60).astype("float32")
ratings[44] = float("nan")

with tf.Graph().as_default(), tf1.Session() as session:
    tf1.set_random_seed(26)
    user = tf1.placeholder(tf.int32, [None])
    film = tf1.placeholder(tf.int32, [None])
    rating = tf1.placeholder(tf.float32, [None])
    with tf1.variable_scope("factors"):
        user_table = tf1.get_variable("users", [10, 4], initializer=tf1.random_normal_initializer(stddev=0.3))
        film_table = tf1.get_variable("films", [8, 4], initializer=tf1.random_normal_initializer(stddev=0.3))
    guess = 3.0 + tf.reduce_sum(tf.gather(user_table, user) * tf.gather(film_table, film), axis=1)
    error = guess - rating  # born: op=Sub kind=nan phase=data step=4 module= reached=loss
    loss = tf.reduce_mean(tf.square(error))
    optimizer = tf1.train.AdagradOptimizer(0.2)
    update = optimizer.minimize(loss)
    session.run(tf1.global_variables_initializer())
    for step in range(6):
        part = slice(10 * step, 10 * step + 10)
        feed = {user: users[part], film: films[part], rating: ratings[part]}
        value, _ = session.run([loss, update], feed)
        print(f"step {step}: loss {value:.4f}")
