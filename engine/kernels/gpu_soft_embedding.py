"""``engine.kernels.soft_embedding`` in Triton: a product whose left side is made as it is used.

A tile of the belief is exp(x - log-sum-exp) of a tile of logits, rounded to the table's dtype as
the reference rounds it, and multiplied at once; products are added in float32. The vocabulary is
cut in parts, whose sums a second kernel adds in order, without atomics, so that a canvas gives the
same every time and in any batch: parts and tiles depend on the sizes of the table alone.

At 256 rows, V = 262,144 and D = 2816 in bfloat16 it is 378 GFLOP, 0.4 ms at the 990 TFLOPS of an
H200's data sheet, and reads the table's 1.48 GB, 0.31 ms at 4.8 TB/s, and the logits' 134 MB for
each of 11 tiles of D, from the cache at best. That costs a tanh and an exponential of 738 M logits,
which hide behind the products or do not; the sums of 12 parts are 35 MB. A belief in float32 would
be 268 MB, and its making two more reads of the logits; here none is made.

How near the reference: in float32, sums in another order, 1e-5 of the largest embedding, for
scaled logits carry the rounding of numbers up to 75. In bfloat16, beliefs that differ in their last
float32 digit can round apart, and sums again: 2^-8 of the largest embedding, one unit of its last
place, of which the reference's own rounding is half.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_denoising_head import set_arguments
from engine.kernels.gpu_numbers import ABSENT, INTERPRETED, nearest, scaled
from engine.kernels.raw_logits import RawLogits

#: Rows, dimensions and tokens of a tile, by the dtype of the table.
TILES = {torch.bfloat16: (128, 256, 64), torch.float32: (64, 64, 32)}
#: Of the vocabulary: with 11 tiles of 256 dimensions, 132 programs for every 128 rows, one for each
#: multiprocessor of an H200.
_PARTS = 12
_WARPS, _STAGES = 8, 3


def gpu_soft_embedding(
    logits: RawLogits,
    log_sum_exp: Tensor,
    held: Tensor,
    table: Tensor,
    *,
    tiles: tuple[int, int, int] | None = None,
    parts: int = _PARTS,
) -> Tensor:
    """See ``engine.kernels.soft_embedding.soft_embedding``."""
    embedded = table[held].contiguous()
    rows, (vocabulary, size) = len(logits.cells), table.shape
    if not rows:
        return embedded
    row_tile, size_tile, token_tile = tiles or TILES[table.dtype]
    values, cells = logits.values, logits.cells.contiguous()
    compact, restricted = values.dim() == 2, logits.domain is not None
    sets, which, *strides = set_arguments(logits)
    part = triton.cdiv(triton.cdiv(vocabulary, parts), token_tile) * token_tile
    parts = triton.cdiv(vocabulary, part)
    sums = torch.empty((parts, rows, size), device=table.device)
    _mix[(triton.cdiv(rows, row_tile), triton.cdiv(size, size_tile), parts)](
        values,
        cells,
        sets,
        which,
        logits.temperature.contiguous(),
        log_sum_exp.contiguous(),
        table,
        sums,
        *((values.stride(0), 0, values.stride(1)) if compact else values.stride()),
        *strides,
        *table.stride(),
        rows,
        logits.length,
        vocabulary,
        size,
        part,
        logits.softcap,
        compact=compact,
        restricted=restricted,
        operand=tl.float32 if INTERPRETED.value or table.dtype == torch.float32 else tl.bfloat16,
        row_tile=row_tile,
        size_tile=size_tile,
        token_tile=token_tile,
        num_warps=_WARPS,
        num_stages=_STAGES,
    )
    _add_parts[(rows,)](
        cells, sums, embedded, rows, size, parts, block=triton.next_power_of_2(size), num_warps=8
    )
    return embedded


@triton.jit(do_not_specialize=["rows", "length"])
def _mix(
    logits,
    cells,
    sets,
    which,
    temperature,
    log_sum_exp,
    table,
    sums,
    logits_row,
    logits_position,
    logits_token,
    sets_row,
    sets_token,
    table_token,
    table_dimension,
    rows,
    length,
    vocabulary,
    size,
    part,
    softcap,
    compact: tl.constexpr,
    restricted: tl.constexpr,
    operand: tl.constexpr,
    row_tile: tl.constexpr,
    size_tile: tl.constexpr,
    token_tile: tl.constexpr,
):
    """A tile of rows and dimensions, over one part of the vocabulary."""
    row = tl.program_id(0) * row_tile + tl.arange(0, row_tile)
    at = tl.program_id(1) * size_tile + tl.arange(0, size_tile)
    token = tl.arange(0, token_tile)
    present, wide = row < rows, at < size
    cell = tl.load(cells + row, mask=present, other=0)
    canvas, position = cell // length, cell % length
    lead = (row if compact else canvas).to(tl.int64) * logits_row + position * logits_position
    logits_at = logits + lead[:, None] + (token.to(tl.int64) * logits_token)[None, :]
    if restricted:
        chosen = tl.load(which + cell, mask=present, other=-1)
        limited = (chosen >= 0)[:, None]
        lead = chosen.to(tl.int64) * sets_row
        sets_at = sets + lead[:, None] + (token.to(tl.int64) * sets_token)[None, :]
    across = at.to(tl.int64) * table_dimension
    table_at = table + (token.to(tl.int64) * table_token)[:, None] + across[None, :]
    warmth = tl.load(temperature + canvas, mask=present, other=1.0)[:, None]
    whole = tl.load(log_sum_exp + cell, mask=present, other=0.0)[:, None]
    total = tl.zeros([row_tile, size_tile], tl.float32)
    start = tl.program_id(2) * part
    for first in range(start, tl.minimum(start + part, vocabulary), token_tile):
        held = first + token < vocabulary
        inside = present[:, None] & held[None, :]
        along = tl.cast(first, tl.int64)
        raw = tl.load(logits_at + along * logits_token, mask=inside, other=0.0)
        if restricted:
            allowed = tl.load(sets_at + along * sets_token, mask=inside & limited, other=1)
            inside = inside & (allowed != 0)
        x = tl.where(inside, scaled(raw, softcap, warmth) - whole, ABSENT)
        belief = nearest(tl.exp(x), table.dtype.element_ty).to(operand)
        seen = held[:, None] & wide[None, :]
        embeddings = tl.load(table_at + along * table_token, mask=seen, other=0.0).to(operand)
        total = tl.dot(belief, embeddings, total, input_precision="ieee")
    out = (tl.program_id(2).to(tl.int64) * rows + row) * size
    tl.store(sums + out[:, None] + at[None, :], total, mask=present[:, None] & wide[None, :])


@triton.jit(do_not_specialize=["rows"])
def _add_parts(cells, sums, embedded, rows, size, parts, block: tl.constexpr):
    """Add one row's parts, in order."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    held = at < size
    total = tl.zeros([block], tl.float32)
    for part in range(parts):
        total += tl.load(sums + (tl.cast(part, tl.int64) * rows + row) * size + at, mask=held)
    cell = tl.load(cells + row)
    tl.store(embedded + cell * size + at, nearest(total, embedded.dtype.element_ty), mask=held)
