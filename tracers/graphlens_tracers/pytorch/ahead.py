"""Which loop of the script is going to step, in PyTorch's words."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from graphlens_tracers.ahead import Ahead


class ModulesAhead(Ahead):
    """Knows PyTorch's modules and optimizers."""

    def steps(self, kind: type, name: str) -> bool:
        """See `Ahead.steps`."""
        return name == "step" and issubclass(kind, (torch.optim.Optimizer, torch.amp.GradScaler))

    def runs(self, kind: type) -> bool:
        """See `Ahead.runs`."""
        return issubclass(kind, nn.Module)

    def part(self, whole: Any, name: str) -> Any:
        """See `Ahead.part`: a module keeps its modules in a dictionary."""
        if issubclass(type(whole), nn.Module):
            modules = vars(whole).get("_modules", {})
            if name in modules:
                return modules[name]
        return super().part(whole, name)
