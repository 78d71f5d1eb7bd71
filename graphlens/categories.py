"""What kind of work an operation does, read from its name; the same words for every framework."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache


class Category(StrEnum):
    """The families that a reader tells apart at a glance."""

    MATMUL = "matmul"
    ATTENTION = "attention"
    NORM = "norm"
    ACTIVATION = "activation"
    ELEMENTWISE = "elementwise"
    VIEW = "view"
    REDUCTION = "reduction"
    GATHER = "gather"
    RANDOM = "random"
    CAST = "cast"
    COLLECTIVE = "collective"
    FLOW = "flow"
    OPTIMIZER = "optimizer"
    ENDPOINT = "endpoint"  # where data comes in and results go out
    MODULE = "module"  # a box that stands for several operations


SAID: dict[Category, str] = {
    Category.MATMUL: "matmul / conv",
    Category.ATTENTION: "attention",
    Category.NORM: "normalisation",
    Category.ACTIVATION: "activation",
    Category.ELEMENTWISE: "element-wise",
    Category.VIEW: "view / copy",
    Category.REDUCTION: "reduction / loss",
    Category.GATHER: "gather / mask",
    Category.RANDOM: "random",
    Category.CAST: "view / copy",
    Category.COLLECTIVE: "collective",
    Category.FLOW: "control flow",
    Category.OPTIMIZER: "optimizer",
    Category.ENDPOINT: "input / output",
    Category.MODULE: "collapsed module",
}
"""Each category as the legend says it."""

PLUMBING = frozenset({Category.VIEW, Category.CAST})
"""Operations that move or relabel numbers and compute none."""

WEIGHT: dict[Category, int] = {
    Category.ATTENTION: 9, Category.MATMUL: 8, Category.NORM: 7, Category.GATHER: 6,
    Category.ACTIVATION: 6, Category.REDUCTION: 5, Category.RANDOM: 4, Category.FLOW: 4,
    Category.COLLECTIVE: 4, Category.OPTIMIZER: 3, Category.ELEMENTWISE: 2, Category.CAST: 1,
    Category.VIEW: 0,
}  # fmt: skip
"""Which operation of a library module gives its card the colour: the one that matters most."""

VIEWS = frozenset(
    "view reshape transpose t permute expand expanddims squeeze unsqueeze slice stridedslice select split"
    " splitv splitwithsizes chunk unbind asstrided alias detach flatten unflatten narrow pack unpack"
    " broadcastto shape identity identityn readvariableop liftfresh unsafeview unsafesplit movedim"
    " reshapealias viewascomplex viewasreal real imag diagonal unfold swapaxes mt adjoint"
    " const guaranteeconst immutableconst noop placeholder placeholderv2 placeholderwithdefault shapen size"
    " rank ensureshape stopgradient preventgradient checknumerics checknumericsv2 variableshape"
    " varhandleop varisinitializedop variable variablev2 isvariableinitialized temporaryvariable"
    " destroytemporaryvariable invertpermutation broadcastgradientargs broadcastargs concatoffset"
    " conjugatetranspose statelessrandomgetkeycounter"
    " statelessrandomgetkeycounteralg statelessrandomgetalg spacetobatchnd batchtospacend spacetodepth"
    " depthtospace reverse reversev2 reversesequence".split()
)
CASTS = frozenset("tocopy to cast typeas copy clone contiguous quantize dequantize bitcast".split())
MATMULS = frozenset(
    "addmm mm bmm baddbmm addbmm matmul batchmatmul batchmatmulv2 batchmatmulv3 sparsematmul"
    " sparsetensordensematmul quantizedmatmul cudnnrnn cudnnrnnv2 cudnnrnnv3 linear"
    " einsum dot outer mv addmv addr scaledmm tensordot bilinear cdist".split()
)
MADE = frozenset(
    "masked_fill where full full_like fill_ new_full scalar_tensor masked_fill_ fill"
    " Fill Const SelectV2".split()
)
"""Short names of operations that put a constant somewhere: an infinity they make was asked for."""
_FRESH = re.compile(
    r"^(new_?)?(empty|zeros|ones|full|rand|bernoulli|multinomial|arange|eye)|^stateless(random|truncated|uniform)"
    r"|^(normal|uniform|exponential|truncatednormal)_?$|like$"
)
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
"""Operations that only call a function: what they call says more than their name."""

_RULES: tuple[tuple[Category, re.Pattern[str]], ...] = tuple(
    (category, re.compile(pattern))
    for category, pattern in (
        (
            Category.ENDPOINT,
            r"dataset|iterator|^optional(from|get|has|none)|^queue|^lookuptable|^read(er|file)",
        ),
        (Category.ATTENTION, r"scaled_?dot_?product|flash_?attention|efficient_?attention|multihead"),
        (Category.MATMUL, r"conv(?!ert)|^_?int_mm|gru$|lstm$|^_?thnn_fused|mkldnn_rnn|_rnn\b"),
        (Category.NORM, r"norm(?!al(?!iz))"),
        (
            Category.OPTIMIZER,
            r"adam|sgd|^_foreach|^(resource_?)?(sparse_?)?apply|^assign|adagrad|rmsprop",
        ),
        (Category.REDUCTION, r"cross_?entropy|ctc_?loss"),
        (Category.RANDOM, r"dropout|rand|bernoulli|normal(v\d)?_?$|multinomial|uniform|exponential_"),
        (Category.COLLECTIVE, r"all_?reduce|all_?gather|reduce_?scatter|c10d|nccl|collective|all_?to_?all"),
        (
            Category.ACTIVATION,
            r"relu|gelu|silu|sigmoid|tanh|softmax|^elu|threshold|hardswish|mish|softplus|glu",
        ),
        (
            Category.REDUCTION,
            r"loss|nll|pool|^((unsorted)?segment)?(mean|sum|amax|amin|max|min|prod|std|var|arg(max|min)|all|any)"
            r"|cumsum|logsumexp|topk|sort|count_nonzero",
        ),
        (
            Category.GATHER,
            r"embedding|gather|scatter|index|^take|one_?hot|^where|masked_|tril|triu|^cat$|stack|concat|^pad"
            r"|_pad|repeat|roll|flip|resource_?gather|^tile$|^tensorlist|^emptytensorlist|^tensorarray"
            r"|^dynamic(stitch|partition)|stridedslicegrad",
        ),
        (
            Category.FLOW,
            r"^(stateless)?(while|if|case)$|^cond|switch|merge|scan|partitioned_?call|map_fn"
            r"|^(ref)?(enter|exit|nextiteration)$|^loopcond$|^assert|^print|_func$|^(eager)?pyfunc",
        ),
    )
)


def short(op: str) -> str:
    """The name a person uses: "aten._softmax.default" is "_softmax", "MatMul" stays."""
    parts = op.split(".")
    if len(parts) < 2:
        return op
    return parts[1] if len(parts) <= 3 else ".".join(parts[1:-1])


@lru_cache(maxsize=4096)
def category(op: str) -> Category:
    """The family of an operation, by its framework's own name; unknown ones are element-wise."""
    name = short(op)
    bare = re.sub(r"_(backward|forward)(_data|_input|_params)?$|_copy$|_$", "", name).lower()
    flat = bare.replace("_", "")
    if name in ("_to_copy", "lift_fresh_copy") or flat in CASTS:
        return Category.CAST
    if flat in VIEWS:
        return Category.VIEW
    if flat in MATMULS:
        return Category.MATMUL
    for found, pattern in _RULES:
        if pattern.search(bare):
            return found
    return Category.ELEMENTWISE


@lru_cache(maxsize=4096)
def fresh(op: str) -> bool:
    """What it makes depends on no number that it reads, only on their shape: no gradient passes it."""
    return _FRESH.search(short(op).lower()) is not None


LIBRARY = frozenset(
    "Linear LazyLinear Bilinear Identity Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d "
    "ConvTranspose3d Conv1D Dropout Dropout1d Dropout2d Dropout3d AlphaDropout ReLU ReLU6 LeakyReLU PReLU "
    "ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softmax LogSoftmax Softmin Softplus Softsign Hardswish "
    "Hardsigmoid Hardtanh GLU Threshold BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm LayerNorm "
    "GroupNorm RMSNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d LocalResponseNorm Embedding "
    "EmbeddingBag MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d AdaptiveAvgPool1d "
    "AdaptiveAvgPool2d AdaptiveMaxPool2d Flatten Unflatten Upsample PixelShuffle ZeroPad2d ConstantPad2d "
    "ReflectionPad2d LSTM GRU RNN LSTMCell GRUCell RNNCell CrossEntropyLoss MSELoss L1Loss NLLLoss "
    "BCELoss BCEWithLogitsLoss KLDivLoss SmoothL1Loss HuberLoss CosineSimilarity Dense Activation "
    "Conv2DTranspose SeparableConv2D DepthwiseConv2D LayerNormalization BatchNormalization "
    "GroupNormalization RMSNormalization UnitNormalization MaxPooling1D MaxPooling2D MaxPooling3D "
    "AveragePooling1D AveragePooling2D GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D "
    "GlobalMaxPooling2D SpatialDropout1D SpatialDropout2D GaussianDropout GaussianNoise Reshape Permute "
    "ZeroPadding2D UpSampling2D Rescaling Normalization Add Concatenate Multiply Conv2D Conv1DTranspose "
    "Conv3DTranspose SeparableConv1D AveragePooling3D Subtract Average Maximum Minimum Dot".split()
)
"""Leaf modules that readers know by name: one card, whatever they are made of."""
