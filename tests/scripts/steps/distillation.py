"""A teacher is trained, then a student learns from it; accuracy after each epoch."""
import torch
import torch.nn.functional as F
from told import at, begin
from torch import nn


def make(width):
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 3))


def accuracy(model, x, y):
    model.eval()
    begin("eval")
    at("forward")
    with torch.no_grad():
        logits = model(x)
    at("other")
    result = (logits.argmax(1) == y).float().mean().item()
    model.train()
    return result


def train_teacher(model, x, y):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for epoch in range(2):
        for i in range(0, len(x), 8):
            begin("train")
            xb, yb = x[i : i + 8], y[i : i + 8]
            at("forward")
            loss = F.cross_entropy(model(xb), yb)
            at("optimizer")
            optimizer.zero_grad()
            at("backward")
            loss.backward()
            at("optimizer")
            optimizer.step()
        print("teacher", accuracy(model, x, y))


def distill(student, teacher, x, y, temperature=2.0):
    teacher.eval()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
    for epoch in range(2):
        for i in range(0, len(x), 8):
            begin("train")
            xb, yb = x[i : i + 8], y[i : i + 8]
            at("forward")
            with torch.no_grad():
                soft = F.softmax(teacher(xb) / temperature, dim=1)
            out = student(xb)
            loss = F.kl_div(F.log_softmax(out / temperature, dim=1), soft, reduction="batchmean")
            loss = 0.7 * loss + 0.3 * F.cross_entropy(out, yb)
            at("optimizer")
            optimizer.zero_grad()
            at("backward")
            loss.backward()
            at("optimizer")
            optimizer.step()
        print("student", accuracy(student, x, y))


torch.manual_seed(0)
x = torch.randn(24, 4)
y = x[:, :3].argmax(1)
teacher, student = make(32), make(8)
train_teacher(teacher, x, y)
distill(student, teacher, x, y)
