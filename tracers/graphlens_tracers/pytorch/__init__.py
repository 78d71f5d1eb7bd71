"""The PyTorch tracer. Importing this package does not import torch: `doctor` reads SPEC anywhere."""

from __future__ import annotations

from graphlens_tracers.api import TracerSpec

SPEC = TracerSpec(
    name="pytorch",
    trigger="torch",
    factory="graphlens_tracers.pytorch.tracer:PyTorchTracer",
    needs="torch>=2.6",
    # Read by torch.compile at every call, so it has to stay: compiled regions would hide their
    # operations, and with fullgraph=True refuse to run under a dispatch mode at all.
    uncompiled=(("TORCHDYNAMO_DISABLE", "1"),),
)
