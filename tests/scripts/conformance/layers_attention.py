"""Attention: SDPA with every kernel there is, multi-head attention, masks, flex attention."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

torch.manual_seed(0)
F = nn.functional
attention = nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
for step in range(3):
    q, k, v = (torch.randn(2, 2, 5, 4, requires_grad=True) for _ in range(3))
    for backend in (SDPBackend.MATH, SDPBackend.FLASH_ATTENTION):
        with sdpa_kernel(backend):
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            out.pow(2).sum().backward()
    mask = torch.ones(5, 5, dtype=torch.bool).tril()
    masked = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=0.2)
    grouped = F.scaled_dot_product_attention(q, k[:, :1], v[:, :1], enable_gqa=True, scale=0.3)
    x = torch.randn(2, 5, 8)
    y, weights = attention(x, x, x, attn_mask=~mask, average_attn_weights=False)
    z, _ = attention(x, x, x, key_padding_mask=torch.zeros(2, 5, dtype=torch.bool), need_weights=False)
    (y + z).sum().backward()
    print(step, out.sum().item(), masked.sum().item(), grouped.sum().item(), weights.shape, q.grad.sum().item())
attention.eval()
with torch.inference_mode():
    print(attention(x, x, x, need_weights=False)[0].sum().item())
