"""Says what words, measures, arguments and data sets mean, one line each, for hovers and completions."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "if": "In a composite block: the blocks in parentheses stand where the comparison of parameters holds.",
    "else": "What stands where the comparison does not hold.",
    "step": "`{192..256 step 32}`: every 32nd integer from 192 on, ends included.",
    "log": "`{1e-4..1e-2 log}`: any number between the ends, drawn evenly in its logarithm; in `train(…)` only.",
    "and": "Both conditions.",
    "or": "At least one of the conditions.",
    "not": "The condition does not hold.",
    "true": "Yes.",
    "false": "No.",
    "none": "Nothing: the argument is left out.",
    "width": "The width of the stage in channels; in a composite block the width it is given.",
    "in": "In a composite block: the channels that flow in.",
    "stride": "The stride of the stage, which its first block takes.",
    "classes": "The number of classes.",
}

MEASURES: dict[str, str] = {
    "params": "Learnable parameters of the network.",
    "macs": "Multiply-accumulates for one image.",
    "depth": "How many blocks the stages hold.",
    "latency_ms": "Milliseconds that one image takes, the blocks measured on this device and summed. Not known here: "
    "`archdsl compile` and the search measure it.",
    "count": "`count(NAME)`: how many blocks go by a name; `count(NAME, stage=i)`: those of one stage, from 1.",
}

ARGUMENTS: dict[str, str] = {
    "width": "output channels; the stage's width where it is not given",
    "stride": "step of the block; the stage's stride in its first block",
    "down": "the layer put before a first block that cannot stride: patch, conv or pool",
    "k": "side of the kernel (of a patch, of a pooling window)",
    "groups": "groups of the convolution (as many as channels make it depthwise), or of norm gn",
    "pad": "zeros on every side; none: (k-1)//2, which keeps the size for an odd k",
    "eps": "added to the variance; none: 1e-6 for ln, else 1e-5",
    "bias": "whether biases are learned",
    "kind": "which one",
    "p": "probability of dropping a value",
    "out_features": "output features",
    "order": "post: activation after the sum (arXiv 1512.03385); pre: before the convolutions (1603.05027)",
    "expansion": "ratio between inner and outer channels",
    "act": "activation function",
    "norm": "normalisation: bn (batch), ln (layer), gn (group)",
    "heads": "attention heads",
    "head_dim": "channels of one head; none shares the incoming channels among the heads",
    "window": "side of the windows attention stays in; none: the whole map",
    "shift": "moves the windows by half their side",
    "local": "side of the neighbourhood a query sees; none: all of it",
    "grid": "side of the sparse grids, spread over the whole map, that attention stays in; none: all of it",
    "rel_pos": "learned biases by relative position",
    "shared_table": "one table of relative positions for all heads",
    "qkv_bias": "biases of queries, keys and values",
    "mlp_ratio": "inner width of the MLP against its outer width",
    "token_ratio": "inner width of the MLP across positions against their number",
    "hidden": "inner width",
    "factor": "what everything is multiplied by",
    "name": "a model of timm, quoted where it is no plain name",
    "out": "number of the features, as timm's out_indices counts them, from 0; none: the last",
    "init": "initial value",
    "scale": "initial value of the layer scale",
    "se": "inner width of squeeze-and-excitation against the channels; none leaves it out",
    "shortcut": "how the input is projected where the shape changes: conv, pool, or none: nothing is added",
    "after": "where the input is projected, the shortcut leaves after so many parts",
    "stage": "the stage to count in, from 1",
}

# The names that need no PyTorch to be known; a test holds them against the registry.
DATA_SETS: dict[str, str] = {
    "fashion": "embedded: 10,000 images of Fashion-MNIST, 6,000/2,000/2,000",
    "fashion-mnist": "the whole of Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "npz:": "a Keras-style file: npz:PATH",
    "imagefolder:": "a folder of images, one subfolder a class: imagefolder:PATH",
    "timm:": "a name of timm.data.create_dataset, such as timm:torch/kmnist",
}
