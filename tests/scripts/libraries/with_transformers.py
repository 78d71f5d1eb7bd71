"""A small GPT-2 from a config, trained and evaluated by the Trainer, then asked to go on."""

import hashlib
import sys
import tempfile

import torch
from torch.utils.data import Dataset
from transformers import GPT2Config, GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments, set_seed


class Sequences(Dataset):
    def __init__(self, count):
        self.tokens = (torch.arange(16)[None] * torch.arange(1, count + 1)[:, None]) % 50

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, index):
        return {"input_ids": self.tokens[index], "labels": self.tokens[index]}


steps = int(sys.argv[1]) if len(sys.argv) > 1 else 6
set_seed(0)
config = GPT2Config(vocab_size=50, n_positions=32, n_embd=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0)
model = GPT2LMHeadModel(config)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, max_steps=steps, per_device_train_batch_size=4, gradient_accumulation_steps=2,
        eval_strategy="steps", eval_steps=3, save_strategy="no", report_to=[], use_cpu=True,
        disable_tqdm=True, learning_rate=1e-3, logging_steps=3, weight_decay=0.01,
    )
    trainer = Trainer(model, arguments, train_dataset=Sequences(40), eval_dataset=Sequences(8))
    trainer.remove_callback(PrinterCallback)  # it prints how long everything took
    result = trainer.train()
print("loss", round(result.training_loss, 6), "steps", result.global_step)
model.eval()
print(model.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=5, do_sample=False, pad_token_id=0).tolist())
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest())
