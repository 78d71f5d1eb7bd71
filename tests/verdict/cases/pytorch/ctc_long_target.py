"""A small convolutional speech recogniser trained with CTC."""

import torch
import torch.nn as nn

torch.manual_seed(30)


class Recogniser(nn.Module):
    def __init__(self, symbols=8):
        super().__init__()
        self.conv = nn.Conv1d(10, 24, 3, stride=2, padding=1)
        self.out = nn.Linear(24, symbols)

    def forward(self, spec):
        h = torch.relu(self.conv(spec)).permute(2, 0, 1)
        return self.out(h).log_softmax(-1)


model = Recogniser()
ctc = nn.CTCLoss(blank=0)
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
lengths = [(40, [5, 6]), (36, [8, 4]), (20, [4, 12]), (40, [7, 7])]
for step, (frames, target_lengths) in enumerate(lengths):
    log_probs = model(torch.randn(2, 10, frames))
    targets = torch.randint(1, 8, (sum(target_lengths),))
    input_lengths = torch.full((2,), log_probs.size(0))
    loss = ctc(log_probs, targets, input_lengths, torch.tensor(target_lengths))  # born: op=aten._ctc_loss.Tensor kind=inf phase=forward step=2 module= reached=loss # benign: op=aten._ctc_loss.Tensor kind=inf reason="log_alpha of impossible alignments, kept for the backward"
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(f"step {step}: {loss.item():.3f}")
