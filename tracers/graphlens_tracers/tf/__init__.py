"""The TensorFlow tracer. Importing this package does not import TensorFlow: `doctor` reads SPEC anywhere."""

from __future__ import annotations

from graphlens_tracers.api import TracerSpec

SPEC = TracerSpec(
    name="tensorflow",
    trigger="tensorflow",
    factory="graphlens_tracers.tf.tracer:TensorFlowTracer",
    needs="tensorflow>=2.16",
)
