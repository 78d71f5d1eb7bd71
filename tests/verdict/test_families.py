"""No false alarm on healthy models of PyTorch alone; those of libraries are in tests/libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch  # needs PyTorch, as what follows
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from verdict.healthy import Made, check, trained
from verdict.truth import some

WORDS, ROWS, WIDTH = 7, 3, 16


def _padding() -> torch.Tensor:
    """The first row is padded at its end, the second by one."""
    padding = torch.zeros(ROWS, WORDS, dtype=torch.bool)
    padding[0, 4:] = padding[1, -1:] = True
    return padding


class Translator(nn.Module):
    """An encoder and a decoder, as in the paper."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, WIDTH)
        self.core = nn.Transformer(WIDTH, 2, 1, 1, 32, batch_first=True)
        self.out = nn.Linear(WIDTH, 20)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        causal = nn.Transformer.generate_square_subsequent_mask(WORDS)
        padding = torch.zeros(ROWS, WORDS).masked_fill(_padding(), float("-inf"))
        found = self.core(
            self.words(source),
            self.words(target),
            tgt_mask=causal,
            src_key_padding_mask=padding,
            tgt_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        scores: torch.Tensor = self.out(found)
        return scores


def transformer() -> Made:
    model = Translator()

    def step() -> torch.Tensor:
        source, target = torch.randint(20, (2, ROWS, WORDS))
        labels = target.masked_fill(_padding(), -100)
        return functional.cross_entropy(model(source, target).flatten(0, 1), labels.flatten())

    return model, step


def encoder() -> Made:
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, activation="gelu", batch_first=True, norm_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def step() -> torch.Tensor:
        x, padding = torch.randn(ROWS, WORDS, WIDTH), _padding()
        found = model(x, src_key_padding_mask=padding)[~padding]
        loss: torch.Tensor = found.square().mean()
        return loss

    return model, step


def attention_weights() -> Made:
    model = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def step() -> torch.Tensor:
        x = torch.randn(ROWS, WORDS, WIDTH)
        found, weights = model(x, x, x, key_padding_mask=_padding())
        entropy = torch.special.entr(weights).sum(-1).mean().item()  # its gradient would be infinite at 0
        loss: torch.Tensor = found.square().mean() * (1.0 + entropy)
        return loss

    return model, step


def fused_attention() -> Made:
    model = nn.Linear(WIDTH, 3 * WIDTH)

    def step() -> torch.Tensor:
        q, k, v = model(torch.randn(ROWS, WORDS, WIDTH)).chunk(3, dim=-1)
        causal = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        padded = functional.scaled_dot_product_attention(q, k, v, attn_mask=~_padding()[:, None])
        return (causal - padded).square().mean()

    return model, step


def packed_sequences() -> Made:
    model = nn.LSTM(WIDTH, 8, num_layers=2, batch_first=True, dropout=0.1)

    def step() -> torch.Tensor:
        lengths = (~_padding()).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            torch.randn(ROWS, WORDS, WIDTH), lengths, batch_first=True, enforce_sorted=False
        )
        out, _ = nn.utils.rnn.pad_packed_sequence(
            model(packed)[0], batch_first=True, padding_value=float("-inf")
        )
        return out.amax(1).square().mean()

    return model, step


def speech() -> Made:
    model = nn.GRU(WIDTH, 6, batch_first=True)

    def step() -> torch.Tensor:
        scores = model(torch.randn(ROWS, WORDS, WIDTH))[0].log_softmax(-1).transpose(0, 1)
        labels, lengths = torch.randint(1, 6, (ROWS, 5)), torch.tensor([2, 3, 5])
        return functional.ctc_loss(scores, labels, (~_padding()).sum(1), lengths, zero_infinity=True)

    return model, step


def pictures() -> Made:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.MaxPool2d(2, padding=1),
        nn.Conv2d(8, 8, 3, groups=8), nn.GroupNorm(2, 8), nn.Hardswish(),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, 5),
    )  # fmt: skip

    def step() -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = model(torch.randn(4, 3, 12, 12))
        return functional.cross_entropy(scores.float(), torch.randint(5, (4,)))

    return model, step


def recomputed() -> Made:
    model = nn.Sequential(nn.Linear(WIDTH, 32), nn.Softplus(), nn.LayerNorm(32), nn.Linear(32, 4))

    def step() -> torch.Tensor:
        scores = checkpoint(model, torch.randn(8, WIDTH), use_reentrant=False)
        choice = torch.distributions.Categorical(logits=scores.masked_fill(torch.eye(8, 4) > 0, -torch.inf))
        loss: torch.Tensor = -choice.log_prob(choice.sample()).mean()
        return loss

    return model, step


FAMILIES = (
    transformer,
    encoder,
    attention_weights,
    fused_attention,
    packed_sequences,
    speech,
    pictures,
    recomputed,
)


@pytest.mark.parametrize("make", some(FAMILIES, 3))
def test_no_harm_is_said_of_a_healthy_family(make: Callable[[], Made], tmp_path: Path) -> None:
    check(lambda: trained(make), tmp_path / "run.glens")


def _half(scale: float) -> list[float]:
    """A few steps in half precision: at a scale that is too large the first are skipped."""
    torch.manual_seed(0)
    model, loss_of = attention_weights()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=2)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_of()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return [*losses, scaler.get_scale()]


@pytest.mark.parametrize("scale", some([2.0**18, 2.0**10], 2))
def test_no_harm_is_said_of_half_precision_with_a_scaler(scale: float, tmp_path: Path) -> None:
    check(lambda: _half(scale), tmp_path / "run.glens")
