"""Every Triton kernel as a large model launches it: types, constants, tiles.

Not to be imported by tests, in whose process kernels are interpreted; see ``compile_for_cuda``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch
import triton.language as tl

from engine.kernels import (
    gpu_acceptance,
    gpu_add_norm,
    gpu_attention_tiles,
    gpu_denoising_head,
    gpu_embedding,
    gpu_expert_order,
    gpu_expert_parts,
    gpu_gated_gelu,
    gpu_layer_norms,
    gpu_probe,
    gpu_progress,
    gpu_rotary_norm,
    gpu_router,
    gpu_row_rounding,
    gpu_segment_attention,
    gpu_soft_embedding,
    gpu_weight_product,
    gpu_write_pages,
)
from engine.kernels.gpu_product_tiles import ProductTiles
from engine.kernels.gpu_weight_tile import KINDS, in_tile
from engine.kernels.segment_attention import PAGE
from engine.precision.precision import Precision

OPERANDS = {torch.bfloat16: tl.bfloat16, torch.float32: tl.float32}
KEPT = {
    Precision.FLOAT32: ("*fp32", "*fp32"),
    Precision.BFLOAT16: ("*bf16", "*fp32"),
    Precision.FP8: ("*fp8e4nv", "*fp32"),
    Precision.INT8: ("*i16", "*fp32"),
    Precision.INT4: ("*i16", "*bf16"),
}
#: Rows that may be rounded.
WRITTEN = {
    gpu_layer_norms._after_attention: ("dense", "routed"),
    gpu_layer_norms._after_feedforward: ("normed",),
}
#: Inputs of an expert's two products.
EXPERT = (("hidden", 2816), ("size", 704))
#: Kernel, types, constants, and warps or more options.
Case = tuple[Any, dict[str, str], dict[str, Any], int | dict[str, int]]


def all_cases() -> Iterator[Case]:
    """Of every kernel."""
    for family in (
        probing, norms, between_products, acceptance, steps, head, embedding, attention,
        heads_and_pages, gates, weights,
    ):  # fmt: skip
        yield from family()


def probing() -> Iterator[Case]:
    yield gpu_probe._answer, {"found": "*i32"}, {}, 4


def norms() -> Iterator[Case]:
    for dtype in ("bf16", "fp32"):
        for flags, rounded in product((True, False), repeat=2):
            types = dict.fromkeys(("x", "residual", "weight", "total"), f"*{dtype}")
            types |= written("normed", dtype, rounded) | {"eps": "fp32"}
            chosen = {"has_residual": flags, "has_weight": flags, "block": 4096}
            yield gpu_add_norm._add_norm, types, chosen | {"rounded": rounded}, 8


def written(name: str, dtype: str, rounded: bool) -> dict[str, str]:
    """Rows that a kernel writes, and their scales."""
    if rounded:
        return {name: "*fp8e4nv", f"{name}_scales": "*fp32"}
    return dict.fromkeys((name, f"{name}_scales"), f"*{dtype}")


def between_products() -> Iterator[Case]:
    """What lies between a layer's products, and the embeddings before all layers."""
    floats = {"eps": "fp32", "root": "fp32", "scale": "fp32"}
    for dtype in ("bf16", "fp32"):
        kernels = gpu_layer_norms._after_attention, gpu_layer_norms._after_feedforward
        for kernel, rounded in product(kernels, (True, False)):
            others = ("size", "block", "count", "rounded", *floats)
            rows = [name for name in kernel.arg_names if name not in others]
            types = dict.fromkeys(rows, f"*{dtype}") | floats
            for name in WRITTEN[kernel]:
                types |= written(name, dtype, rounded)
            chosen = {"block": 4096, "rounded": rounded}
            chosen |= {"count": 8} if "count" in kernel.arg_names else {}
            yield kernel, types, chosen, 8
        types = {"tokens": "*i64", "table": f"*{dtype}", "out": f"*{dtype}"} | floats
        yield gpu_embedding._embed, types, {"table_column": 1, "block": 4096}, 8
        types = {"sums": "*fp32", "per_expert_scale": f"*{dtype}"}
        types |= {"weights": "*fp32", "chosen": "*i64"}
        for block in (128, 1024):
            chosen = {"top_k": 8, "top_block": 8, "block": block, "parts": 11}
            chosen |= {"narrow": dtype == "bf16"}
            yield gpu_router._route, types, chosen, max(1, block // 256)


def acceptance() -> Iterator[Case]:
    types = {"entropy": "*fp32", "bound": "*fp32", "present": "*u8", "accepted": "*u8"}
    types |= dict.fromkeys(("sampled", "keys", "steps", "canvas"), "*i64")
    types |= {"sets": "*u8", "which": "*i32"}
    for block in (256, 1024):
        chosen = {"has_present": block == 256, "block": block, "chunk": gpu_acceptance._CHUNK}
        yield gpu_acceptance._accept, types, chosen, gpu_acceptance.warps_for(block)
    yield gpu_acceptance._renoise, types, {"tile": gpu_acceptance._TILE}, 4


def steps() -> Iterator[Case]:
    """What a step leaves."""
    types = {"entropy": "*fp32", "confidence": "*fp32", "free": "*u8"}
    others = [x for x in gpu_progress._progress.arg_names if x not in ("length", "block", *types)]
    types |= dict.fromkeys(others, "*i64")
    yield gpu_progress._progress, types, {"block": 256}, 1


def head() -> Iterator[Case]:
    types = {"temperature": "*fp32", "floats": "*fp32", "integers": "*i32"}
    types |= {"sets": "*u8", "which": "*i32"}
    types |= dict.fromkeys(("cells", "keys", "steps", "drafts", "samples"), "*i64")
    types |= dict.fromkeys(("entropies", "log_sum_exps", "masses"), "*fp32") | {"softcap": "fp32"}
    sizes = {"tile": gpu_denoising_head._TILE, "tiles": gpu_denoising_head._TILES}
    for dtype in ("bf16", "fp32"):
        for flags in (True, False):
            chosen = sizes | {"compact": flags, "logits_token": 1}
            chosen |= {"sets_token": 1}
            warps = gpu_denoising_head.warps_for(gpu_denoising_head._TILE)
            yield gpu_denoising_head._sweep, types | {"logits": f"*{dtype}"}, chosen, warps
    for flags in (True, False):
        yield gpu_denoising_head._join, types, {"block": 8 if flags else 1}, 1


def embedding() -> Iterator[Case]:
    types = {"temperature": "*fp32", "log_sum_exp": "*fp32", "sums": "*fp32", "cells": "*i64"}
    types |= {"sets": "*u8", "which": "*i32", "softcap": "fp32"}
    names = "row_tile", "size_tile", "token_tile"
    for dtype, tiles in gpu_soft_embedding.TILES.items():
        name = "bf16" if dtype == torch.bfloat16 else "fp32"
        types |= dict.fromkeys(("logits", "belief", "table", "embedded"), f"*{name}")
        for flags in (True, False):
            chosen = {"compact": flags, "tile": gpu_soft_embedding._TILE}
            chosen |= {"logits_token": 1, "sets_token": 1}
            yield gpu_soft_embedding._believe, dict(types), chosen, 4
            chosen = {"whole": flags, "operand": OPERANDS[dtype], "table_dimension": 1}
            chosen |= dict(zip(names, tiles, strict=True))
            options = {
                "num_warps": gpu_soft_embedding._WARPS,
                "num_stages": gpu_soft_embedding._STAGES,
            }
            yield gpu_soft_embedding._mix, dict(types), chosen, options
        yield gpu_soft_embedding._add_parts, dict(types), {"block": 4096}, 8


def attention() -> Iterator[Case]:
    """Heads of 256 within a window and of 512 without, as the 26B has them, and small ones."""
    integers = dict.fromkeys(("starts", "lengths", "pasts", "pages"), "*i32")
    names = "q", "k", "v", "key_pages", "value_pages", "out"
    for dtype, operand in OPERANDS.items():
        types = integers | dict.fromkeys(names, "*bf16" if operand == tl.bfloat16 else "*fp32")
        for size, heads, group in ((64, 8, 1), (256, 8, 2), (512, 2, 8)):
            sizes = {"operand": operand, "heads": heads, "group": group, "size": size}
            sizes |= {"block": size, "page_size": PAGE, "sharing": group}
            sizes |= {"windowed": size < 512, "clearing": gpu_segment_attention._CLEARING}
            for causal in (True, False):
                for tiles in gpu_attention_tiles.tiles_of(dtype, size, causal=causal):
                    chosen = sizes | {"causal": causal, "row_tile": tiles.rows}
                    chosen |= {"key_tile": tiles.keys, "value_tile": tiles.values}
                    options = {"num_warps": tiles.warps, "num_stages": tiles.stages}
                    yield gpu_segment_attention._attend, types, chosen, options


def gates() -> Iterator[Case]:
    for dtype in ("bf16", "fp32"):
        types = {"packed": f"*{dtype}"}
        for rounded in (True, False):
            rows = written("out", dtype, rounded)
            types |= {"out": rows["out"], "scales": rows["out_scales"]}
            chosen = {"tile": 4096 if rounded else gpu_gated_gelu._TILE, "rounded": rounded}
            yield gpu_gated_gelu._gate, dict(types), chosen, 8 if rounded else 4


def heads_and_pages() -> Iterator[Case]:
    """Heads of 256, and of 512 whose values are the raw keys."""
    names = "packed", "q_weight", "k_weight", "cos", "sin", "q", "k", "v"
    integers = dict.fromkeys(("starts", "lengths", "pasts", "pages"), "*i32")
    cache = "keys", "values", "key_pages", "value_pages"
    for dtype in ("bf16", "fp32"):
        types = dict.fromkeys(names, f"*{dtype}") | {"eps": "fp32"}
        for half in (128, 256):
            chosen = {"shared": half == 256, "turned": True, "half": half, "block": half}
            chosen |= {"group": gpu_rotary_norm._HEADS}
            options = {"num_warps": half // 64, "enable_fp_fusion": False}
            yield gpu_rotary_norm._rotary_norm, types, chosen, options
        types = integers | dict.fromkeys(cache, f"*{dtype}")
        yield gpu_write_pages._write, types, {"page_size": PAGE, "block": 2048}, 8


def weights() -> Iterator[Case]:
    """Products and experts; the tensor cores' instruction is looked for, see ``main``."""
    types = {"chosen": "*i64", "order": "*i32", "plan": "*i32", "weights": "*fp32"}
    types |= {"row_scales": "*fp32"}
    sizes = {"block": gpu_expert_order._BLOCK, "chunk": gpu_expert_order._CHUNK, "bins": 128}
    sizes |= {"row_tile": 32, "some": gpu_expert_order._SOME}
    sizes |= {"together": gpu_expert_order._TOGETHER}
    for counted in (True, False):
        kept = types | {"counts": "*i32"}
        yield gpu_expert_order._order, kept, sizes | {"counted": counted}, 8
    sizes = {"block": gpu_expert_order._BLOCK, "chunk": gpu_expert_order._OWN, "bins": 128}
    yield gpu_expert_order._count, types | {"counts": "*i32"}, sizes, 4
    for dtype, name in ((torch.bfloat16, "bf16"), (torch.float32, "fp32")):
        types |= dict.fromkeys(("y", "parts"), f"*{name}")
        rows = {"x": f"*{name}", "values": "*fp8e4nv", "scales": "*fp32", "eps": "fp32"}
        yield gpu_row_rounding._round, rows, {"block": 4096}, 8
        for tiles in gpu_router.tiles_of(dtype):
            chosen = {"inputs": 2816, "part": gpu_router._PART, "operand": OPERANDS[dtype]}
            chosen |= {"in_tile": in_tile(Precision.of(dtype), dtype)}
            kept = types | {"x": f"*{name}", "values": f"*{name}", "sums": "*fp32"}
            yield gpu_router._score, kept, chosen, tiles.options()
        for precision, (values, scales) in KEPT.items():
            if precision is Precision.FLOAT32 and dtype == torch.bfloat16:
                continue  # rounded to bfloat16 before
            fp8 = precision is Precision.FP8
            kept = types | {"values": values, "scales": scales, "x": values if fp8 else f"*{name}"}
            chosen = {"kind": KINDS[precision].value, "in_tile": in_tile(precision, dtype)}
            chosen |= {"operand": tl.float8e4nv if fp8 else OPERANDS[dtype]}
            chosen |= {"scale_out": 1}
            for tiles, whole in cuts(gpu_weight_product.tiles_of(precision, dtype)):
                one = chosen | {"inputs": 2816, "whole": whole}
                yield gpu_weight_product._product, kept, one, tiles.options()
            for tiles, whole in cuts(gpu_expert_parts.tiles_of(precision, dtype)):
                up, down = ({side: size, "whole": whole} for side, size in EXPERT)
                gated = kept | {"inner": f"*{name}"}
                yield gpu_expert_parts._gate_up, gated, chosen | up, tiles.options()
                visited = kept | {"inner": values if fp8 else f"*{name}"}
                yield gpu_expert_parts._down, visited, chosen | down, tiles.options()


def cuts(some: Sequence[ProductTiles]) -> Iterator[tuple[ProductTiles, bool]]:
    """Each where it divides the outputs, and where it does not."""
    return product(some, (True, False))
