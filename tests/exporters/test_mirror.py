"""The backward half: what has a gradient, from where to where, and that it is the mirror image."""

from __future__ import annotations

import itertools

import pytest

from graphlens.layout import Size, place
from graphlens.mirror import Backward, backward_of, reflect
from graphlens.view import View, view_of
from graphlens_tracers.events import Phase
from models import Model, mlp, residual, transformer, two_towers


def both(model: Model) -> tuple[View, Backward]:
    """A view and its backward half."""
    subject = model.subject()
    view = view_of(subject)
    return view, backward_of(view, subject)


def flows(model: Model) -> set[tuple[str, str]]:
    """From which gradient to which, by the names of their boxes."""
    _, backward = both(model)
    names = [one.box.name.removesuffix(" (pass)") for one in backward.gradients]
    return {(names[source], names[target]) for source, target, _ in backward.flows}


def test_gradients_run_against_the_forward_links() -> None:
    assert flows(mlp()) == {("mse_loss", "fc2"), ("fc2", "act"), ("act", "fc1")}


def test_inputs_and_integers_have_no_gradient() -> None:
    _, backward = both(transformer(2))

    assert {one.box.name for one in backward.gradients} >= {"wte", "nll_loss_forward"}
    assert not {one.box.name for one in backward.gradients} & {"ids", "tril", "ones", "loss"}


def test_operation_that_hands_the_gradient_on_is_a_pass() -> None:
    """The derivative of a sum is nothing to compute; without a box the line would break off."""
    _view, backward = both(residual(1))
    passing = [one for one in backward.gradients if one.box.name == "add (pass)"]

    assert len(passing) == 1 and passing[0].box.members == []
    assert ("relu", "add") in flows(residual(1))


def test_no_gradient_passes_a_detached_tensor() -> None:
    model = Model()
    x = model.batch("x", 4, 8)
    with model.module("Net", "Net"):
        h = model.linear("a", x, 8)
        kept = model.op("detach", h)
        out = model.op("mse_loss", model.linear("b", h, 8), kept, shape=())
    nodes = {node.op.split(".")[1]: node for node in model.nodes}
    first = next(node for node in model.nodes if node.op == "aten.addmm.default")
    loss = model.op("mse_loss_backward", out, shape=(4, 8), phase=Phase.BACKWARD, twin=nodes["mse_loss"].node)
    back = model.op("mm", loss, shape=(4, 8), phase=Phase.BACKWARD, twin=nodes["addmm"].node)
    model.op("mm", back, shape=(4, 8), phase=Phase.BACKWARD, twin=first.node)

    assert flows(model) == {("mse_loss", "b"), ("b", "a")}


def test_no_gradient_passes_a_mask_that_only_has_the_shape_of_something() -> None:
    """Dropout on a CPU: a mask as large as the input, drawn, scaled in place and multiplied with."""
    model = Model()
    x = model.batch("x", 4, 8)
    with model.module("Net", "Net"):
        h = model.linear("a", x, 8)
        mask = model.op("div_", model.op("bernoulli_", model.op("empty_like", h)))
        loss = model.op("mse_loss", model.op("mul", h, mask), shape=())
    twins = {node.op.split(".")[1]: node.node for node in model.nodes}
    back = model.op("mse_loss_backward", loss, shape=(4, 8), phase=Phase.BACKWARD, twin=twins["mse_loss"])
    back = model.op("mul", back, mask, shape=(4, 8), phase=Phase.BACKWARD, twin=twins["mul"])
    model.op("mm", back, shape=(4, 8), phase=Phase.BACKWARD, twin=twins["addmm"])

    assert flows(model) == {("mse_loss", "mul"), ("mul", "a")}


def test_every_backward_operation_has_a_home() -> None:
    for model in (mlp(), residual(3), transformer(12), two_towers()):
        view, backward = both(model)
        nodes = [node.node for node in model.nodes if node.phase is Phase.BACKWARD]
        held = [node for one in backward.gradients for node in one.box.members]

        assert backward.unplaced == 0
        assert len(held) == len(set(held))
        assert len(held) >= len(nodes) - 1, view.title  # the seed belongs to the loss


def test_loss_starts_it_and_saved_tensors_cross_over() -> None:
    view, backward = both(mlp())
    kept = {view.boxes[source].name: count for source, _, count in backward.saved}

    assert [(view.boxes[loss].name, backward.gradients[at].box.name) for loss, at in backward.seeds] == [
        ("loss", "mse_loss")
    ]
    assert kept == {"fc1": 1, "act": 1, "fc2": 1, "mse_loss": 2}


def test_no_backward_pass_no_half() -> None:
    assert both(mlp(backward=False))[1].gradients == []


@pytest.mark.parametrize("model", [mlp(), residual(3), transformer(12)], ids=lambda m: m.name)
def test_gradient_stands_beside_its_box_at_the_same_height(model: Model) -> None:
    view, backward = both(model)
    scene = place(view, [Size(80, 30, 40, 13)] * len(view.boxes), [60.0] * len(view.frames))
    mirror = reflect(view, scene, backward, [(70.0, 24.0)] * len(backward.gradients), 2 * scene.width + 50)

    for one, rect in zip(backward.gradients, mirror.boxes, strict=True):
        forward = scene.boxes[one.of]
        assert (rect.y0 + rect.y1) / 2 == pytest.approx((forward.y0 + forward.y1) / 2)
        assert (rect.x0 + rect.x1 + forward.x0 + forward.x1) / 2 == pytest.approx(2 * scene.width + 50)
    for (source, target, _), wire in zip(backward.flows, mirror.flows, strict=True):
        assert wire[0][1] == mirror.boxes[source].y0 and wire[-1][1] == mirror.boxes[target].y1
        assert all(y0 >= y1 - 1e-6 for (_, y0), (_, y1) in itertools.pairwise(wire))
