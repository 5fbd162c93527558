"""Lists the families whose weights `load_timm` carries over: timm's names left, those of the shipped specs right."""

from __future__ import annotations

from archdsl.interchange.pretrained.rules import Family, family


def _inside(theirs: str, ours: str, lines: str) -> str:
    """The lines, each name below a module of theirs and of ours."""
    found = []
    for line in lines.strip().splitlines():
        left, right = line.strip().split(" -> ")
        found.append(f"{theirs}.{left.strip()} -> {ours}.{right.replace('| ', f'| {ours}.')}")
    return "\n".join(found)


def _staged(theirs: str, lines: str) -> str:
    """The lines for all blocks of all stages; each stage but the first begins with a block that shrinks the map."""
    first = theirs.replace("{s}", "0")
    return f"{_inside(first, 'stage1.block{b+1}', lines)}\n{_inside(theirs, 'stage{s+1}.block{b+2}', lines)}"


_TRANSFORMER = """
    norm1     -> attn.norm
    attn.qkv  -> attn.attn.qkv
    attn.proj -> attn.attn.proj
    norm2     -> mlp.norm
    mlp.fc1   -> mlp.linear
    mlp.fc2   -> mlp.linear2
"""
_SWIN_BLOCK = f"attn.relative_position_bias_table -> attn.attn.table : table{_TRANSFORMER}"

# With relative positions, q, k and v of each head together.
_MAXVIT_TRANSFORMER = f"""
    attn.rel_pos.relative_position_bias_table -> attn.attn.table : table
    attn.qkv  -> attn.attn.qkv : by_head
    {_TRANSFORMER.strip()}
"""

# Inverted bottleneck of CoAtNet and MaxViT, with a norm before it.
_MBCONV = """
    pre_norm        -> norm
    shortcut.expand -> shortcut.conv
    conv1_1x1       -> conv
    norm1           -> norm2
    conv2_kxk       -> conv2
    norm2           -> norm3
    se.fc1          -> se.conv_reduce
    se.fc2          -> se.conv_expand
    conv3_1x1       -> conv3
"""

FAMILIES: tuple[Family, ...] = (
    family(  # arXiv 1512.03385, 1611.05431, 1605.07146; torchvision has the same names
        "resnet",
        "conv1 -> stem.conv",
        "bn1 -> stem.norm",
        _inside(
            "layer{s}.{b}",
            "stage{s}.block{b+1}",
            """
            conv1        -> conv
            bn1          -> norm
            conv2        -> conv2
            bn2          -> norm2
            conv3        -> conv3
            bn3          -> norm3
            downsample.0 -> shortcut.conv
            downsample.1 -> shortcut.norm
            """,
        ),
        "fc -> head.linear",
    ),
    family(  # arXiv 2010.11929, 2012.12877
        "vit",
        "patch_embed.proj -> stem.patch",
        "cls_token -> stem.cls.token",
        "pos_embed -> stem.pos.table",  # a row for the class token, and one per patch, as in a stem `cls pos`
        _inside("blocks.{b}", "stage1.block{b+1}", _TRANSFORMER),
        "norm -> head.norm",
        "head -> head.linear",
    ),
    family(  # arXiv 2103.16302
        "pit",
        "patch_embed.conv -> stem.conv",
        "pos_embed -> stem.pos.table",
        "cls_token -> stem.cls.token",
        "transformers.{s}.pool.conv -> stage{s+1}.block1.conv",
        "transformers.{s}.pool.fc -> stage{s+1}.block1.linear",
        _staged("transformers.{s}.blocks.{b}", _TRANSFORMER),
        "norm -> head.norm",
        "head -> head.linear",
    ),
    family(  # arXiv 2103.14030
        "swin",
        "patch_embed.proj -> stem.patch",
        "patch_embed.norm -> stem.norm",
        "layers.{s}.downsample.norm -> stage{s+1}.block1.norm : merged",
        "layers.{s}.downsample.reduction -> stage{s+1}.block1.linear : merged",
        _staged("layers.{s}.blocks.{b}", _SWIN_BLOCK),
        "norm -> head.norm",
        "head.fc -> head.linear",
    ),
    family(  # arXiv 2105.01601
        "mixer",
        "stem.proj -> stem.patch",
        _inside(
            "blocks.{b}",
            "stage1.block{b+1}",
            """
            norm1            -> mlp.norm
            mlp_tokens.fc1   -> mlp.token_mlp.fc1
            mlp_tokens.fc2   -> mlp.token_mlp.fc2
            norm2            -> mlp2.norm
            mlp_channels.fc1 -> mlp2.linear
            mlp_channels.fc2 -> mlp2.linear2
            """,
        ),
        "norm -> head.norm",
        "head -> head.linear",
    ),
    family(  # arXiv 2201.03545
        "convnext",
        "stem.0 -> stem.patch",
        "stem.1 -> stem.norm",
        "stages.{s}.downsample.0 -> stage{s+1}.block1.norm",
        "stages.{s}.downsample.1 -> stage{s+1}.block1.patch",
        _staged(
            "stages.{s}.blocks.{b}",
            """
            conv_dw -> conv
            norm    -> norm
            mlp.fc1 -> linear
            mlp.fc2 -> linear2
            gamma   -> scale.gamma
            """,
        ),
        "head.norm -> head.norm",
        "head.fc -> head.linear",
    ),
    family(  # arXiv 1801.04381, 1905.11946
        "efficientnet",
        "conv_stem -> stem.conv",
        "bn1 -> stem.norm",
        _inside(  # the first stage does not expand: no 1x1 convolution before the depthwise one
            "blocks.0.{b}",
            "stage1.block{b+1}",
            """
            conv_dw        -> conv
            bn1            -> norm
            se.conv_reduce -> se.conv_reduce
            se.conv_expand -> se.conv_expand
            conv_pw        -> conv2
            bn2            -> norm2
            """,
        ),
        _inside(
            "blocks.{s}.{b}",
            "stage{s+1}.block{b+1}",
            """
            conv_pw        -> conv
            bn1            -> norm
            conv_dw        -> conv2
            bn2            -> norm2
            se.conv_reduce -> se.conv_reduce
            se.conv_expand -> se.conv_expand
            conv_pwl       -> conv3
            bn3            -> norm3
            """,
        ),
        "conv_head -> head.conv",
        "bn2 -> head.norm",
        "classifier -> head.linear",
    ),
    family(  # arXiv 2111.11418
        "poolformer",
        "stem.conv -> stem.conv",
        "stages.{s}.downsample.conv -> stage{s+1}.block1",
        _staged(
            "stages.{s}.blocks.{b}",
            """
            norm1              -> conv.norm
            layer_scale1.scale -> conv.scale.gamma
            norm2              -> mlp.norm
            mlp.fc1            -> mlp.linear
            mlp.fc2            -> mlp.linear2
            layer_scale2.scale -> mlp.scale.gamma
            """,
        ),
        "head.norm -> head.norm",
        "head.fc -> head.linear",
    ),
    family(  # arXiv 2204.01697
        "maxvit",
        "stem.conv1 -> stem.conv",
        "stem.norm1 -> stem.norm",
        "stem.conv2 -> stem.conv2",
        _inside("stages.{s}.blocks.{b}.conv", "stage{s+1}.block{b+1}.conv_block", _MBCONV),
        _inside("stages.{s}.blocks.{b}.attn_block", "stage{s+1}.block{b+1}.transformer", _MAXVIT_TRANSFORMER),
        _inside("stages.{s}.blocks.{b}.attn_grid", "stage{s+1}.block{b+1}.transformer2", _MAXVIT_TRANSFORMER),
        "norm -> head.norm",
        "head.fc -> head.linear",
    ),
    family(  # arXiv 2106.04803; both kinds of blocks have a `norm1`, a `norm2` and a `shortcut`
        "coatnet",
        "stem.conv1 -> stem.conv",
        "stem.norm1 -> stem.norm",
        "stem.conv2 -> stem.conv2",
        _inside(
            "stages.{s}.blocks.{b}",
            "stage{s+1}.block{b+1}",
            f"""
            shortcut.expand -> shortcut.conv | attn.shortcut.conv
            norm1           -> norm2 | attn.norm
            norm1.norm      -> attn.norm
            norm2           -> norm3 | mlp.norm
            se_early.fc1    -> se.conv_reduce
            se_early.fc2    -> se.conv_expand
            {_MBCONV.strip()}
            {_MAXVIT_TRANSFORMER.strip()}
            """,
        ),
        "norm -> head.norm",
        "head.fc -> head.linear",
    ),
)
