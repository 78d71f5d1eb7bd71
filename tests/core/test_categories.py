"""What kind of work operations do, by the names that their frameworks give them."""

from __future__ import annotations

import pytest

from graphlens.categories import Category, category

SAID = {
    Category.MATMUL: "Conv2D MatMul BatchMatMulV2 Einsum DepthwiseConv2dNative Conv2DBackpropFilter aten.mm",
    Category.NORM: "FusedBatchNormV3 FusedBatchNormGradV3 BatchNormalization aten.native_layer_norm",
    Category.ACTIVATION: "Relu ReluGrad Softmax LogSoftmax Tanh Sigmoid Elu aten._softmax",
    Category.ELEMENTWISE: "AddV2 Mul Sub BiasAdd Rsqrt Log Exp Equal DivNoNan aten.add aten.log",
    Category.VIEW: (
        "Const ReadVariableOp Identity NoOp Reshape Shape ShapeN StridedSlice Squeeze ExpandDims VarHandleOp"
        " VarIsInitializedOp BroadcastGradientArgs StopGradient Placeholder aten.view"
    ),
    Category.CAST: "Cast Bitcast aten._to_copy",
    Category.REDUCTION: (
        "SparseSoftmaxCrossEntropyWithLogits SoftmaxCrossEntropyWithLogits Mean Sum ArgMax MaxPool Prod"
        " UnsortedSegmentSum aten.nll_loss_forward aten.sum"
    ),
    Category.GATHER: "GatherV2 OneHot ConcatV2 TensorListPushBack TensorArrayReadV3 Tile aten.embedding",
    Category.RANDOM: "RandomUniform StatelessRandomUniformV2 StatelessTruncatedNormalV2 aten.bernoulli_",
    Category.OPTIMIZER: (
        "ResourceApplyAdam ResourceApplyMomentum ApplyGradientDescent AssignVariableOp AssignSubVariableOp"
        " ResourceSparseApplyFtrl aten._foreach_add_"
    ),
    Category.FLOW: "StatefulPartitionedCall PartitionedCall While StatelessIf Switch Enter Exit",
    Category.ENDPOINT: "IteratorGetNext MakeIterator OptionalGetValue ParallelMapDatasetV2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("op", "wanted"), [(op, wanted) for wanted, names in SAID.items() for op in names.split()]
)
def test_operations_are_of_the_family_that_a_person_would_say(op: str, wanted: Category) -> None:
    assert category(f"{op}.default" if op.startswith("aten.") else op) is wanted
