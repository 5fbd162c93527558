"""What keywords, words, arguments and data sets mean, one line each, for hovers and completions."""

from __future__ import annotations

STATEMENTS: dict[str, tuple[str, str]] = {
    "model": ("model NAME", "Names the model; the name is not part of its identity."),
    "input": ("input CxHxW", "Channels x height x width of an image. Default: `3x32x32`."),
    "classes": ("classes N", "How many classes the head tells apart. Default: 10."),
    "defaults": ("defaults(key=value, …)", "Arguments for every block that takes them; its stage and itself win."),
    "let": ("let NAME = …", "Names blocks or a value. Holes in it are decided once and shared."),
    "block": ("block NAME(parameters) = …", "A block made of others; `width` and `stride` come from the stage."),
    "stem": ("stem …", "Blocks before the first stage. Default: `conv(64)`."),
    "stage": (
        "stage(width, stride=…, …) [ … ]",
        "A string of blocks at one resolution; the first block strides. By default the first stage has width 64 and "
        "stride 1, each further one twice the width and stride 2.",
    ),
    "head": ("head …", "Blocks after the last stage. Default: `norm act gap linear`."),
    "require": (
        "require CONDITION",
        "What every model must satisfy: `params`, `macs`, `depth`, `latency_ms`, `count(NAME)`.",
    ),
    "maximize": ("maximize SCORE", "An objective of the search; several make it a Pareto search."),
    "minimize": ("minimize SCORE", "An objective of the search; several make it a Pareto search."),
    "data": ("data NAME", "The data set, so that the file is a whole experiment."),
    "train": ("train(key=value, …)", "How a network is trained; float ranges `{1e-4..1e-2 log}` may stand here."),
}  # fmt: skip

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
