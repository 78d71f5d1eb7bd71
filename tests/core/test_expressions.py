"""Views by expression: against NumPy and PyTorch themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from graphlens.expressions import evaluate
from graphlens_tracers.errors import Usage

X = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)

OF_PYTORCH = [
    "x[0]", "x[..., 1:3]", "x[:, None, 2]", "x[-1, ::2]", "x[x > 0.5]", "x.flip(1)", "x.flip(0, 2)",
    "torch.flip(x, [1])", "x.permute(2, 0, 1)", "x.transpose(0, 2)", "x.mT", "x[0].T", "x.reshape(12, -1)",
    "x.view(3, 20)", "x.flatten(1)", "x.flatten()", "x.unsqueeze(1)", "x.sum()", "x.sum(0)", "x.mean((0, 1))",
    "x.sum(dim=1, keepdim=True)", "x.std()", "x.var(0)", "x.std(dim=1, unbiased=False)", "x.amax(1)",
    "x.amin((0, 2))",
    "x.argmax(-1)", "x.argmax()", "x.softmax(-1)", "torch.softmax(x, dim=0)", "x.log_softmax(1)",
    "x.logsumexp(2)",
    "x.abs().sqrt()", "x.clamp(min=0)", "x.clamp(-0.5, 0.5)", "x.norm()", "x.norm(dim=1)", "x.cumsum(1)",
    "x.diff()",
    "torch.where(x > 0, x, 0.)", "x * 2 - 1", "x ** 2", "-x", "~(x > 0)", "(x > 0) & (x < 1)", "x @ x.mT",
    "torch.fft.rfft(x).abs()", "torch.fft.fft(x, dim=1).real", "torch.fft.irfft(torch.fft.rfft(x), n=5)",
    "torch.isnan(x.log()).sum(0)", "x.log().isinf().any()", "x.relu()", "x.sigmoid()", "x.triu()",
    "x.roll(1, 0)",
    "x.double().sum()", "x.int()", "x.squeeze()", "torch.maximum(x, -x)", "x.nan_to_num()",
    "x.sign().sort(descending=True)[0]",
]  # fmt: skip
OF_NUMPY = [
    "np.flip(x, 1)", "np.std(x)", "np.var(x, axis=0)", "np.fft.rfft(x)", "x.T", "np.isnan(x).sum(0)",
    "np.transpose(x, (1, 0, 2))", "np.linalg.norm(x.reshape(-1))", "np.clip(x, 0, 1)", "x[np.newaxis]",
]  # fmt: skip


@pytest.mark.parametrize("text", OF_PYTORCH)
def test_what_pytorch_says(text: str) -> None:
    """The same words mean the same."""
    torch = pytest.importorskip("torch")
    wanted = eval(
        text.replace(".sort(descending=True)[0]", ".sort(descending=True).values[0]"),
        {"torch": torch, "x": torch.tensor(X)},
    )
    found = evaluate(text, X)

    assert found.shape == tuple(wanted.shape)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("text", OF_NUMPY)
def test_what_numpy_says(text: str) -> None:
    """Where it is called by its name."""
    with warnings.catch_warnings():
        np.testing.assert_allclose(evaluate(text, X), eval(text, {"np": np, "x": X}), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "y", "__import__('os')", "x.__class__", "x.tofile('f')", "np.load('f')", "x.dump('f')",
        "(lambda: x)()",
        "[x for x in x]", "x if x else x", "'a' * 9", "f'{x}'", "torch.os", "x.numpy.__globals__", "x[", "",
        "x; x",
        "print(x)", "x.sum(**x)", "np.fft.os.getcwd()", "x := 1", "x.flip(9)", "x[99]", "x.reshape(7)",
        "x @ 3",
        "(" * 5000, "x" + "+x" * 600, "await x", "yield x", "x.view('O')",
    ],
)  # fmt: skip
def test_all_else_is_refused(text: str) -> None:
    """By a sentence."""
    with pytest.raises(Usage):
        evaluate(text, X)


@pytest.mark.parametrize(
    "text",
    [
        "10**10**10", "9**9**9**9",
        "x.reshape(-1, 1) * x.reshape(1, -1)[:, :, None] * x.reshape(-1)[:, None, None, None]",
        "x.flatten()[:, None, None, None] + x.flatten()[:, None, None] + x.flatten()[:, None] + x.flatten()",
        "torch.fft.fft(x, n=1000000000)", "x << 1000000", "1 << 10000000000",
    ],
)  # fmt: skip
def test_nothing_grows_without_bound(text: str) -> None:
    """Either it is refused, or it is small."""
    try:
        assert evaluate(text, X).size <= 1 << 26
    except Usage:
        pass


def test_small_and_odd_arrays() -> None:
    """Scalars, empty ones, booleans."""
    assert evaluate("x.sum()", np.zeros((0, 3))) == 0
    assert evaluate("x + 1", np.array(2.0)) == 3
    assert evaluate("~x", np.array([True, False])).tolist() == [False, True]
    assert evaluate("x ** -1", np.array([2, 4])).tolist() == [0.5, 0.25]
