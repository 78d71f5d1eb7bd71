"""A few training steps of Hugging Face's GPT-2, made from a configuration: no weights are downloaded.

Twelve layers with dropout, tied embeddings and AdamW, on sequences with a rule that can be learned:
each token is the one before it plus a stride of the sequence's own. Needs the package transformers.
"""

from __future__ import annotations

import argparse
import hashlib

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel


def sequences(count: int, length: int, tokens: int) -> Tensor:
    """Token ids [count, length]: arithmetic series modulo the number of tokens."""
    first = torch.randint(tokens, (count, 1))
    stride = torch.randint(1, 5, (count, 1))
    return (first + stride * torch.arange(length)) % tokens


def digest(model: torch.nn.Module) -> str:
    """Of every parameter and buffer, to the last bit."""
    sha = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        sha.update(name.encode())
        sha.update(tensor.contiguous().numpy().tobytes())
    return sha.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a GPT-2 with random weights for a few steps.")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=192, help="a multiple of the number of heads")
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--length", type=int, default=64, help="tokens of a sequence")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64, help="size of the vocabulary")
    parser.add_argument("--lr", type=float, default=0.002)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    config = GPT2Config(
        vocab_size=arguments.tokens,
        n_positions=arguments.length,
        n_embd=arguments.width,
        n_layer=arguments.layers,
        n_head=arguments.heads,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config)
    model.loss_type = "ForCausalLM"  # what transformers falls back to, without its warning
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.lr)

    for step in range(arguments.steps):
        batch = sequences(arguments.batch, arguments.length, arguments.tokens)
        optimizer.zero_grad()
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        optimizer.step()
        print(f"step {step}  loss {loss.item():.4f}", flush=True)

    print(f"parameters {digest(model)[:16]}")


if __name__ == "__main__":
    main()
