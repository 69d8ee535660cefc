"""Compiles every Triton kernel to machine code, which needs no GPU. Run as a program.

Not to be imported by tests, in whose process kernels are interpreted. It says what each takes, and
fails where that is more shared memory than a Hopper GPU has, or registers had to be spilled.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

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
    gpu_progress,
    gpu_rotary_norm,
    gpu_router,
    gpu_row_rounding,
    gpu_segment_attention,
    gpu_soft_embedding,
    gpu_weight_product,
    gpu_write_pages,
)
from engine.kernels.gpu_weight_tile import KINDS, in_tile
from engine.kernels.segment_attention import PAGE
from engine.precision.precision import Precision

HOPPER = GPUTarget("cuda", 90, 32)
#: Bytes that a program may have of shared memory there.
SHARED = 227 * 1024
#: Bytes that a thread may spill where that does not matter.
SPARED = 256
OPERANDS = {torch.bfloat16: tl.bfloat16, torch.float32: tl.float32}
KEPT = {
    Precision.FLOAT32: ("*fp32", "*fp32"),
    Precision.BFLOAT16: ("*bf16", "*fp32"),
    Precision.FP8: ("*fp8e4nv", "*fp32"),
    Precision.INT8: ("*i16", "*fp32"),
    Precision.INT4: ("*i16", "*bf16"),
}
#: Of which each row's bits must not depend on tiles.
PRODUCTS = (
    gpu_weight_product._product,
    gpu_expert_parts._gate_up,
    gpu_expert_parts._down,
    gpu_router._score,
)
#: Kernel, types, constants, and warps or more options.
Case = tuple[Any, dict[str, str], dict[str, Any], int | dict[str, int]]


def norms() -> Iterator[Case]:
    for dtype in ("bf16", "fp32"):
        for flags in (True, False):
            types = dict.fromkeys(("x", "residual", "weight", "total", "normed"), f"*{dtype}")
            chosen = {"has_residual": flags, "has_weight": flags, "block": 4096}
            yield gpu_add_norm._add_norm, types | {"eps": "fp32"}, chosen, 8


def between_products() -> Iterator[Case]:
    """What lies between a layer's products, and the embeddings before all layers."""
    floats = {"eps": "fp32", "root": "fp32", "scale": "fp32"}
    for dtype in ("bf16", "fp32"):
        for kernel in (gpu_layer_norms._after_attention, gpu_layer_norms._after_feedforward):
            others = ("size", "block", "count", *floats)
            rows = [name for name in kernel.arg_names if name not in others]
            chosen = {"block": 4096} | ({"count": 8} if "count" in kernel.arg_names else {})
            yield kernel, dict.fromkeys(rows, f"*{dtype}") | floats, chosen, 8
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
        types = dict.fromkeys(("packed", "out"), f"*{dtype}")
        yield gpu_gated_gelu._gate, types, {"tile": gpu_gated_gelu._TILE}, 4


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
        yield gpu_row_rounding._round, rows, {"share": 1 / 448, "block": 4096}, 8
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
            chosen |= {"operand": tl.float8e4nv if fp8 else OPERANDS[dtype], "whole": True}
            chosen |= {"scale_out": 1}
            for tiles in gpu_weight_product.tiles_of(precision, dtype):
                yield gpu_weight_product._product, kept, chosen | {"inputs": 2816}, tiles.options()
            for tiles in gpu_expert_parts.tiles_of(precision, dtype):
                up, down = chosen | {"hidden": 2816}, chosen | {"size": 704}
                gated = kept | {"inner": f"*{name}"}
                yield gpu_expert_parts._gate_up, gated, up, tiles.options()
                visited = kept | {"inner": values if fp8 else f"*{name}"}
                yield gpu_expert_parts._down, visited, down, tiles.options()


def compiled(
    kernel: Any,
    types: Mapping[str, str],
    chosen: Mapping[str, Any],
    options: int | dict[str, int],
) -> Any:
    """For aligned pointers and sizes, as a large model's are; what is not typed is an integer."""
    names = kernel.arg_names
    if not isinstance(options, int):  # tiles come with the options of a launch
        chosen = {**chosen, **{name: x for name, x in options.items() if name in names}}
        options = {name: x for name, x in options.items() if name not in names}
    signature = {n: "constexpr" if n in chosen else types.get(n, "i32") for n in names}
    aligned = {
        (i,): [["tt.divisibility", 16]]
        for i, n in enumerate(names)
        if signature[n].startswith("*") or signature[n] == "i32"
    }
    source = ASTSource(kernel, signature, dict(chosen), aligned)
    options = {"num_warps": options} if isinstance(options, int) else dict(options)
    return triton.compile(source, target=HOPPER, options=options)


def resources(binary: Any) -> tuple[int, int]:
    """How many registers a thread takes, and how many bytes it spills."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary.asm["cubin"])
        file.flush()
        done = subprocess.run(
            [tool, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
        )
    found = re.search(r"REG:(\d+) STACK:(\d+)", done.stdout)
    assert found, done.stdout
    return int(found[1]), int(found[2])


def main() -> None:
    families = (
        norms, between_products, acceptance, steps, head, embedding, attention, heads_and_pages,
        gates, weights,
    )  # fmt: skip
    cases = (case for family in families for case in family())
    for kernel, types, chosen, options in cases:
        binary = compiled(kernel, types, chosen, options)
        registers, spilled = resources(binary)
        shared = binary.metadata.shared
        print(f"{kernel.__name__} {chosen}: {registers} registers, {shared} B shared", flush=True)
        assert shared <= SHARED, f"{shared} B of shared memory, {SHARED} B there are"
        # Products in float32, which no large model computes in, may spill a little.
        spared = SPARED if chosen.get("operand") == tl.float32 else 0
        assert spilled <= spared, f"{spilled} B spilled"
        assert not unawaited(binary.asm["ttgir"]), "a product may read registers that changed"
        if kernel in PRODUCTS and chosen["operand"] != tl.float32:
            used = set(re.findall(r"(?:wgmma\.mma_async|mma\.sync)\S+", binary.asm["ptx"]))
            assert isinstance(options, dict)
            only = f"wgmma.mma_async.sync.aligned.m64n{options['row_tile']}"
            only += (
                "k32.f32.e4m3.e4m3" if chosen["operand"] == tl.float8e4nv else "k16.f32.bf16.bf16"
            )
            assert used == {only}, f"{used}: the bits of a row may depend on their number"
        if kernel is gpu_segment_attention._attend and chosen["operand"] == tl.bfloat16:
            used = set(re.findall(r"(?:wgmma\.mma_async|mma\.sync)\S+", binary.asm["ptx"]))
            sides = {chosen["key_tile"], chosen["value_tile"]}
            both = {f"wgmma.mma_async.sync.aligned.m64n{n}k16.f32.bf16.bf16" for n in sides}
            assert used == both, f"{used}: the bits of a row may depend on its tile"


def unawaited(ttgir: str) -> bool:
    """Whether a loop turns while a product runs whose left side lies in registers.

    Its next turn may write into them: neither Triton nor the assembler knows that they are read.
    """
    running: set[str] = set()
    for line in ttgir.splitlines():
        value = re.match(r"\s*%(\w+)(?::\d+)? = ", line)
        if "= scf.for" in line or ("warp_group_dot_wait" in line and "pendings = 0" in line):
            running = set()
        elif value and "warp_group_dot_wait" in line:  # for some of them, and gives others names
            if any(f"%{name}" in line for name in running):
                running.add(value[1])
        elif value and re.search(r"ttng\.warp_group_dot .*isAsync = true.*#ttg\.dot_op", line):
            running.add(value[1])
        elif "scf.yield" in line and any(f"%{name}" in line for name in running):
            return True
    return False


if __name__ == "__main__":
    main()
