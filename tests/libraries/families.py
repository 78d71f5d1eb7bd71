"""Models of timm, torch-geometric and diffusers, and all families: small, with random weights.

Nothing here is wrong: every number that is not finite is meant so.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from libraries.families_torchvision import TORCHVISION
from libraries.families_transformers import TRANSFORMERS
from libraries.family import Family
from verdict.healthy import Made


def _timm(name: str, size: int = 64, **settings: Any) -> Family:
    def make() -> Made:
        model = importlib.import_module("timm").create_model(name, num_classes=5, **settings)

        def step() -> torch.Tensor:
            pictures, labels = torch.randn(2, 3, size, size), torch.randint(0, 5, (2,))
            return functional.cross_entropy(model(pictures), labels, label_smoothing=0.1)

        return model, step

    return Family("timm", name, make)


_TIMM = (
    _timm("resnet10t"),
    _timm("efficientnet_lite0"),
    _timm("mobilenetv3_small_050"),
    _timm("regnetx_002"),
    _timm("convnext_atto"),
    _timm("vit_tiny_patch16_224", img_size=64, depth=2),
    _timm(
        "swin_tiny_patch4_window7_224", img_size=56, size=56, depths=(2, 2), num_heads=(2, 4), embed_dim=16
    ),
    _timm("gmixer_12_224", img_size=64),
    _timm("xcit_nano_12_p16_224", img_size=64, depth=2),
    _timm("nf_regnet_b0"),
)


def _nodes(name: str, **settings: Any) -> Family:
    """A network on a graph with a node that has no edge, and one with an edge to itself."""

    def make() -> Made:
        layers = importlib.import_module("torch_geometric.nn")
        edges = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 2], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 7]])
        degrees = torch.bincount(torch.bincount(edges[1], minlength=10))
        given = settings | ({"deg": degrees} if name == "PNA" else {})
        model = getattr(layers, name)(6, 16, 2, 3, **given)

        def step() -> torch.Tensor:
            scores = functional.log_softmax(model(torch.randn(10, 6), edges), dim=1)
            return functional.nll_loss(scores, torch.randint(0, 3, (10,)))

        return model, step

    return Family("torch_geometric", name, make)


_GEOMETRIC = (
    _nodes("GCN"),
    _nodes("GCN", add_self_loops=False),
    _nodes("GAT", heads=2),
    _nodes("GraphSAGE", aggr="max"),
    _nodes("GIN"),
    _nodes("EdgeCNN"),
    _nodes(
        "PNA",
        aggregators=["mean", "min", "max", "std"],
        scalers=["identity", "amplification"],
    ),
)


def _diffusion(name: str, arguments: Callable[[], dict[str, Any]], **settings: Any) -> Family:
    """Predicts the noise; the loss is weighted by the signal that is left."""

    def make() -> Made:
        library = importlib.import_module("diffusers")
        model, schedule = getattr(library, name)(**settings), library.DDPMScheduler(num_train_timesteps=50)

        def step() -> torch.Tensor:
            clean, noise = torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16)
            times = torch.randint(0, 50, (2,))
            found = model(schedule.add_noise(clean, noise, times), times, **arguments()).sample[:, :3]
            signal = schedule.alphas_cumprod[times]
            weight = (signal / (1 - signal)).clamp(max=5.0)
            loss: torch.Tensor = (weight * (found - noise).square().mean((1, 2, 3))).mean()
            return loss

        return model, step

    return Family("diffusers", name, make)


_DIFFUSERS = (
    _diffusion(
        "UNet2DModel",
        dict,
        sample_size=16,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    ),
    _diffusion(
        "UNet2DConditionModel",
        lambda: {
            "encoder_hidden_states": torch.randn(2, 5, 12),
            "encoder_attention_mask": torch.tensor([[1, 1, 1, 0, 0], [1] * 5]),
        },
        sample_size=16,
        in_channels=3,
        out_channels=3,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=4,
    ),
    _diffusion(
        "DiTTransformer2DModel",
        lambda: {"class_labels": torch.randint(0, 4, (2,))},
        sample_size=16,
        in_channels=3,
        out_channels=6,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=8,
        patch_size=4,
        num_embeds_ada_norm=50,
    ),
)

FAMILIES: Sequence[Family] = (*TRANSFORMERS, *_TIMM, *_GEOMETRIC, *_DIFFUSERS, *TORCHVISION)
