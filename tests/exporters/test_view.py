"""What a picture shows: folding, opening, hiding, and what it says about it."""

from __future__ import annotations

import dataclasses

import pytest

from graphlens.view import BUDGET, FULL, View, view_of
from graphlens.view.folding import fold
from graphlens.view.groups import tree_of
from graphlens.view.subject import forward_of, illnesses
from graphlens_tracers.events import Phase
from models import Model, flat, mlp, residual, shapeless, transformer, two_towers


def names(view: View) -> list[str]:
    """The boxes by name, in order."""
    return [box.name for box in view.boxes]


def test_leaf_module_is_one_card_with_its_parameters() -> None:
    """The transposed weight is the weight: no box, and no line, of its own."""
    view = view_of(mlp().subject())
    card = next(box for box in view.boxes if box.name == "fc1")

    assert (card.sort, card.kind, card.op) == ("leaf", "Linear", "addmm")
    assert [(one.name, one.shape) for one in card.parameters] == [("weight", "128×64"), ("bias", "128")]
    assert card.saved == 1  # its input; the weight is kept anyway
    assert names(view) == ["x", "y", "fc1", "act", "fc2", "mse_loss", "loss"]


def test_tensor_is_written_once_at_its_producer() -> None:
    view = view_of(mlp().subject())

    assert {box.name: box.tag for box in view.boxes if box.tag} == {
        "x": "f32[8,64]", "y": "f32[8,10]", "fc1": "f32[8,128]", "act": "f32[8,128]", "fc2": "f32[8,10]",
        "mse_loss": "f32[]",
    }  # fmt: skip


def test_equal_blocks_in_a_chain_are_drawn_once() -> None:
    view = view_of(transformer(12).subject())
    frame = next(frame for frame in view.frames if frame.repeat > 1)

    assert (frame.name, frame.kind, frame.repeat) == ("h.0–11", "Block", 12)
    assert "drawn once: h.0–11 ×12" in view.notes
    assert len(view.boxes) <= BUDGET


def test_every_forward_operation_is_in_one_box() -> None:
    """Folded copies too: otherwise the backward pass of a copy would have no home."""
    model = transformer(12)
    view = view_of(model.subject())
    forward = [node.node for node in model.nodes if node.phase is Phase.FORWARD]
    members = [node for box in view.boxes for node in box.members]

    assert len(members) == len(set(members))
    assert set(forward) <= set(view.box_of)


def test_copy_with_another_shape_is_no_copy() -> None:
    model = Model()
    x = model.batch("x", 4, 8)
    with model.module("Net", "Net"):
        for k, size in enumerate((8, 8, 8, 16, 16)):
            with model.module(f"h.{k}", "Block"):
                x = model.op("relu", model.linear("fc", x, size))
        x = model.op("mean", x, shape=())
    view = view_of(model.subject())

    assert [(frame.name, frame.repeat) for frame in view.frames] == [("h.0–2", 3), ("h.3", 1), ("h.4", 1)]


def test_copies_with_something_between_them_are_not_folded() -> None:
    """Equal structure is not enough: folding would lose what is between, or its place."""
    model = Model()
    x = model.batch("x", 4, 8)
    with model.module("Net", "Net"):
        for k in range(3):
            with model.module(f"h.{k}", "Block"):
                x = model.op("relu", model.linear("fc", x, 8))
            x = model.op(("mul", "sub", "div")[k], x)
    view = view_of(model.subject())

    assert [frame.repeat for frame in view.frames] == [1, 1, 1]
    assert {"mul", "sub", "div"} <= set(names(view))


def test_copies_fed_differently_are_not_folded() -> None:
    """The third block reads the first one's result, not the second's."""
    model = Model()
    x = model.batch("x", 4, 8)
    made = [x]
    with model.module("Net", "Net"):
        for k in range(3):
            with model.module(f"h.{k}", "Block"):
                source = made[1] if k == 2 else made[-1]
                made.append(model.op("relu", model.linear("fc", source, 8)))
        model.op("add", made[-1], model.op("mul", made[-2]))
    view = view_of(model.subject())

    assert [frame.repeat for frame in view.frames] == [1, 1, 1]


def test_copy_that_others_read_too_is_not_folded() -> None:
    model = Model()
    x = model.batch("x", 4, 8)
    made = []
    with model.module("Net", "Net"):
        for k in range(3):
            with model.module(f"h.{k}", "Block"):
                x = model.op("relu", model.linear("fc", x, 8))
                made.append(x)
        model.op("cat", *made)
    view = view_of(model.subject())

    assert [frame.repeat for frame in view.frames] == [1, 1, 1]


def test_parallel_branches_that_are_alike_are_drawn_once() -> None:
    model = Model()
    x = model.op("relu", model.batch("x", 4, 8))
    with model.module("Net", "Net"):
        made = []
        for k in range(4):
            with model.module(f"experts.{k}", "Expert"):
                made.append(model.op("relu", model.linear("fc", x, 8)))
        model.op("stack", *made, shape=(4, 4, 8))
    view = view_of(model.subject())

    assert [(frame.name, frame.repeat) for frame in view.frames] == [("experts.0–3", 4)]


def test_constant_of_every_copy_does_not_keep_copies_apart() -> None:
    """Real models make a small tensor in every block; twelve blocks must not become six pairs."""
    model = Model()
    x = model.batch("x", 4, 8)
    with model.module("Net", "Net"):
        for k in range(12):
            with model.module(f"h.{k}", "Block"):
                empty = model.batch("", 0)
                mask = model.leaf("unknown", "", 4, 8)
                x = model.op("cat", model.op("add", model.linear("fc", x, 8), mask), empty)
        x = model.op("mean", x, shape=())
    view = view_of(model.subject())

    assert [(frame.name, frame.repeat) for frame in view.frames] == [("h.0–11", 12)]


def test_copy_with_other_health_is_another_copy() -> None:
    view = view_of(transformer(12, sick=4).subject())
    folded = [box.name for box in view.boxes if box.repeat > 1] + [
        f.name for f in view.frames if f.repeat > 1
    ]

    assert sorted(folded) == ["h.0–3", "h.5–11"]
    assert [box.name for box in view.boxes if box.born] == ["_softmax"]


def test_no_ops_and_dead_ends_are_hidden_and_counted() -> None:
    model = Model()
    x = model.batch("x", 4, 8)
    h = model.op("relu", model.op("detach", x))
    model.op("argmax", h, shape=(4,), dtype="int64")  # an accuracy that no gradient comes from
    model.backward(model.op("mean", h, shape=()))
    view = view_of(model.subject())

    assert names(view) == ["x", "relu", "mean", "loss"]
    assert "hidden: 1 no-op, 1 dead end" in view.notes


def test_numbers_of_the_program_are_no_boxes() -> None:
    """A constant that nothing reads, and a large one, are boxes."""
    model = Model()
    x = model.batch("x", 4, 8)
    h = model.op("Mean", x, model.op("Const", shape=(2,), dtype="int32"), shape=())
    h = model.op("Mul", h, model.op("Const", shape=(9,)))
    model.op("Const", shape=())
    view = view_of(model.subject())

    assert names(view) == ["x", "Mean", "Const", "Mul", "Const", "output", "output"]
    assert "hidden: 1 constant" in view.notes
    assert set(view.box_of) == {node.node for node in model.subject().nodes}


def test_later_calls_of_a_module_are_numbered_from_the_first_in_the_graph() -> None:
    model = Model()
    with model.module("Net", "Net"):
        model.linear("fc", model.batch("x", 4, 8), 8)
    later = model.subject()
    calls = {key: dataclasses.replace(call, nth=call.nth + 3) for key, call in later.module_calls.items()}

    assert "Net.fc" in names(view_of(dataclasses.replace(later, module_calls=calls)))


def test_without_a_backward_pass_every_result_is_shown() -> None:
    model = Model()
    x = model.batch("x", 4, 8)
    h = model.op("relu", x)
    model.op("argmax", h, shape=(4,), dtype="int64")
    model.op("mean", h, shape=())
    view = view_of(model.subject())

    assert names(view)[-2:] == ["output", "output"]
    assert {"argmax", "mean"} <= set(names(view))


def test_views_in_a_row_are_one_pill() -> None:
    model = Model()
    x = model.op("relu", model.batch("x", 4, 8))
    for name in ("view", "transpose", "transpose", "expand", "clone"):
        x = model.op(name, x)
    model.op("relu", x)
    view = view_of(model.subject())

    assert "view › transpose×2 › expand › clone" in names(view)


def test_value_used_twice_by_a_view_chain_breaks_it() -> None:
    model = Model()
    x = model.op("relu", model.batch("x", 4, 8))
    first = model.op("view", x)
    second = model.op("transpose", first)
    model.op("add", second, first)
    view = view_of(model.subject())

    assert names(view).count("view") == 1 and names(view).count("transpose") == 1


def test_module_called_twice_has_two_boxes() -> None:
    model = Model()
    x = model.batch("x", 4, 8)
    with model.module("Net", "Net"):
        x = model.linear("fc", model.op("relu", model.linear("fc", x, 8)), 8)
    view = view_of(model.subject())

    assert [name for name in names(view) if name.startswith("fc")] == ["fc", "fc #2"]


@pytest.mark.parametrize("count", [41, 1_000, 20_000])
def test_overlong_list_is_cut_into_parts(count: int) -> None:
    """Operations without modules and without a pattern; parts of parts when there are very many."""
    view = view_of(shapeless(count).subject())

    assert len(view.boxes) <= BUDGET + 5
    assert any(name.startswith("part ") for name in [*names(view), *(frame.name for frame in view.frames)])
    assert sum(len(box.members) for box in view.boxes) == count


def test_rounds_of_a_loop_are_drawn_once() -> None:
    """Which weight a round reads does not matter, as it does not for modules."""
    view = view_of(flat(300).subject())

    assert [(frame.name, frame.repeat) for frame in view.frames] == [("repeated", 300)]
    assert names(view) == ["x", "mm", "tanh", "mul", "add", "mean", "output"]


def test_loop_over_a_cell_is_drawn_once() -> None:
    """Each round reads its own slice of the input, and what the last round left."""
    model = Model()
    x = model.batch("x", 12, 4, 8)
    with model.module("RNN", "RNN"):
        h = model.op("zeros", shape=(4, 8))
        for _ in range(12):
            now = model.op("select", x, shape=(4, 8))
            with model.module("cell", "RNNCell"):
                h = model.op("tanh", model.op("add", model.op("relu", now), h))
        h = model.op("mean", h, shape=())
    model.backward(h)
    view = view_of(model.subject())

    assert [(frame.name, frame.repeat) for frame in view.frames] == [("repeated", 12)]
    assert names(view) == ["x", "zeros", "select", "cell", "mean", "loss"]


def test_rounds_that_differ_in_wiring_are_not_folded() -> None:
    """The same operations in a row, but the third round reads what the first one made."""
    model = Model()
    made = [model.batch("x", 4, 8)]
    for k in range(6):
        source = made[-2] if k == 3 else made[-1]
        made.append(model.op("tanh", model.op("relu", source)))
    model.op("stack", *made[-2:], shape=(2, 4, 8))
    view = view_of(model.subject())

    assert view.frames == []


def test_results_of_a_pattern_stay_in_sight() -> None:
    """Every round's result is read at the end: nothing can be folded away."""
    model = Model()
    x = model.batch("x", 4, 8)
    made = []
    for _ in range(6):
        x = model.op("tanh", model.op("relu", x))
        made.append(x)
    model.op("stack", *made, shape=(6, 4, 8))
    view = view_of(model.subject())

    assert view.frames == []


def test_depth_opens_as_many_levels() -> None:
    subject = transformer(2).subject()

    assert view_of(subject, depth=0).frames == []
    assert {frame.kind for frame in view_of(subject, depth=1).frames} == {"Block"}
    assert {frame.kind for frame in view_of(subject, depth=2).frames} == {"Block", "Attention", "MLP"}


def test_full_shows_every_operation() -> None:
    model = transformer(3)
    view = view_of(model.subject(), budget=2000, full=True)

    assert not any(box.sort == "module" or box.repeat > 1 for box in view.boxes)
    assert sum(1 for frame in view.frames if frame.kind == "Block") == 3


def test_full_ends_where_no_program_could_show_it() -> None:
    """Two thousand boxes, whatever the graph is: the rest stays closed or becomes parts."""
    for model in (shapeless(3_000), transformer(150, backward=False)):
        for view in (
            view_of(model.subject(), budget=FULL, full=True),
            view_of(model.subject(), depth=9, folded=False),
        ):
            assert 500 < len(view.boxes) <= FULL + 10


def test_many_inputs_are_drawn_together() -> None:
    model = Model()
    inputs = [model.batch(f"x{k}", 4) for k in range(20)]
    model.op("cat", *inputs, shape=(80,))
    view = view_of(model.subject())

    assert names(view) == ["20 inputs", "cat", "output"]


def test_links_follow_execution_and_name_existing_boxes() -> None:
    for model in (transformer(12), residual(3), two_towers(), flat(300)):
        view = view_of(model.subject())
        for link in view.links:
            assert 0 <= link.source < link.target < len(view.boxes)


def test_infinity_that_a_mask_put_there_is_no_illness() -> None:
    """A causal mask is -inf by intention, and the softmax behind it is finite."""
    sick = illnesses(transformer(2).subject())

    assert sick.births == () and not sick.ill


def test_infinity_that_reaches_the_end_is_one() -> None:
    model = Model()
    x = model.op("exp", model.batch("x", 4))
    loss = model.op("mean", x, shape=())
    model.ill.update({x: "inf", loss: "inf"})
    sick = illnesses(model.subject())

    assert [model.nodes[node].op for node in sick.births] == ["aten.exp.default"]


def test_infinity_is_the_cause_of_the_nan_made_from_it() -> None:
    """0 * log(0): the logarithm is to blame, not the product."""
    model = Model()
    x = model.op("log", model.batch("x", 4))
    model.ill[x] = "inf"
    y = model.op("mul", x)
    model.ill[y] = "nan"
    model.op("mean", y, shape=())
    sick = illnesses(model.subject())

    assert [model.nodes[node].op for node in sick.births] == ["aten.log.default"]
    assert len(sick.ill) == 3


def test_optimizer_is_left_out_and_said() -> None:
    model = mlp()
    model.op("_foreach_add_", model.parameter("w", 4), phase=Phase.OPTIMIZER)
    view = view_of(model.subject())

    assert "_foreach_add_" not in names(view)
    assert "left out: 1 optimizer ops" in view.notes


def test_parameter_that_an_optimizer_changed_is_still_that_parameter() -> None:
    """A generator and a discriminator take turns in one step: the second forward reads new weights."""
    model = Model()
    x, weight = model.batch("x", 4, 8), model.parameter("fc.weight", 8, 8)
    model.op("mm", x, weight)
    moment = model.leaf("state", "moment", 8, 8)
    changed = model.ops("addcdiv_", [moment, weight], [(8, 8)], phase=Phase.OPTIMIZER, writes=((1, 0),))[0]
    model.op("bmm", x, changed)
    view = view_of(model.subject())

    cards = {box.name: [one.name for one in box.parameters] for box in view.boxes if box.sort == "op"}
    assert cards == {"mm": ["weight"], "bmm": ["weight"]}
    assert all(one.tied for box in view.boxes for one in box.parameters)


def test_loss_behind_an_optimizer_step_is_forward() -> None:
    """Whatever the tracer took the operations for: a gradient comes from them."""
    model = Model()
    h = model.op("relu", model.batch("x", 4, 8))
    loss = model.op("mean", h, shape=(), phase=Phase.OTHER)
    model.op("mean_backward", loss, shape=(4, 8), phase=Phase.BACKWARD, twin=model.nodes[-1].node)
    view = view_of(model.subject())

    assert names(view) == ["x", "relu", "mean", "loss"]


def test_folding_is_linear() -> None:
    """Twice the layers, no more than about twice the comparisons; no clock, a count of calls."""
    import sys

    def calls(layers: int) -> int:
        subject = transformer(layers, backward=False).subject()
        forward = forward_of(subject)
        count = 0

        def seen(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(seen)
        tree = tree_of(subject, forward)
        fold(tree, subject, forward, {})
        sys.setprofile(None)
        return count

    assert calls(80) < 2.3 * calls(40)
