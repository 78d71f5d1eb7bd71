"""A tiny GPT-2 of transformers: tuned by a loop with a scheduler, evaluated, and asked to generate."""
import torch
from told import at, begin
from transformers import GPT2Config, GPT2LMHeadModel, get_linear_schedule_with_warmup

torch.manual_seed(0)
config = GPT2Config(vocab_size=20, n_positions=16, n_embd=8, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=19)
model = GPT2LMHeadModel(config)
tokens = torch.randint(1, 19, (8, 8))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = get_linear_schedule_with_warmup(optimizer, 1, 4)
for epoch in range(2):
    model.train()
    for i in range(0, 8, 4):
        begin("train")
        batch = {"input_ids": tokens[i : i + 4], "labels": tokens[i : i + 4]}
        at("forward")
        loss = model(**batch).loss
        at("backward")
        loss.backward()
        at("optimizer")
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    model.eval()
    for i in range(0, 8, 4):
        begin("eval")
        batch = {"input_ids": tokens[i : i + 4], "labels": tokens[i : i + 4]}
        at("forward")
        with torch.no_grad():
            loss = model(**batch).loss
        at("other")
        print(epoch, loss.item())
