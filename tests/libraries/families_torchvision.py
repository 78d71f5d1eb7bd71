"""Detection models of torchvision: small pictures, random weights, and a picture without any object."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import torch

from libraries.family import Family
from verdict.healthy import Made

SIZE = 96


def _targets(name: str) -> list[dict[str, torch.Tensor]]:
    """Two objects in the first picture, none in the second; masks where the model asks for them."""
    boxes = torch.tensor([[8.0, 8.0, 60.0, 50.0], [30.0, 20.0, 90.0, 90.0]])
    found = []
    for number in (2, 0):
        one = {"boxes": boxes[:number], "labels": torch.ones(number, dtype=torch.int64)}
        if name.startswith("mask"):
            one["masks"] = torch.ones(number, SIZE, SIZE, dtype=torch.uint8)
        found.append(one)
    return found


def _detection(name: str, **settings: Any) -> Family:
    def make() -> Made:
        models = importlib.import_module("torchvision.models.detection")
        model = getattr(models, name)(weights=None, weights_backbone=None, num_classes=3, **settings)

        def step() -> torch.Tensor:
            losses = model(list(torch.rand(2, 3, SIZE, SIZE)), _targets(name))
            return torch.stack(list(losses.values())).sum()

        return model, step

    return Family("torchvision", name, make)


_SMALL = {"min_size": SIZE, "max_size": SIZE}
TORCHVISION: Sequence[Family] = (
    _detection("fasterrcnn_mobilenet_v3_large_320_fpn", **_SMALL),
    _detection("retinanet_resnet50_fpn", **_SMALL),
    _detection("fcos_resnet50_fpn", **_SMALL),
    _detection("ssdlite320_mobilenet_v3_large"),
    _detection("maskrcnn_resnet50_fpn", **_SMALL),
)
