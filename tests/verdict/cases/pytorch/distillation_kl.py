"""Distils a fixed teacher into a small student with a hand-written KL divergence."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)


class Student(nn.Module):
    def __init__(self, width=16, classes=6):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, width), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(x))


def kl(student_logits, teacher_probs):
    q = F.softmax(student_logits, dim=-1)
    return (teacher_probs * (teacher_probs.clamp(min=1e-8).log() - q.log())).sum(-1).mean()  # born: op=aten.log.default kind=inf phase=forward step=1 module= reached=loss


inputs = torch.randn(256, 8) * 4
teacher = F.softmax(torch.randn(256, 6) * 2, dim=-1)
student = Student()
optimizer = torch.optim.SGD(student.parameters(), lr=12.0)

for step, (x, t) in enumerate(zip(inputs.split(64), teacher.split(64), strict=True)):
    optimizer.zero_grad()
    loss = kl(student(x), t)
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss.item():.4f}")
