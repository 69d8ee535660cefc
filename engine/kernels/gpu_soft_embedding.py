"""``engine.kernels.soft_embedding`` in Triton: beliefs in the table's dtype, then one product.

A first kernel writes exp(x - log-sum-exp) of each logit, rounded as the reference rounds it, for at
most ``ROWS`` positions at a time; a second multiplies them with the table. To make the belief in
the product itself, as it is used, was tried first: each of 11 tiles of dimensions has to make it
anew, and what that takes of registers and of the loop leaves the tensor cores idle three quarters
of the time, 2.4 ms on an H200 for one canvas.

The vocabulary is cut in parts, whose sums a third kernel adds in order, without atomics, so that a
canvas gives the same every time and in any batch: parts and tiles depend on the sizes of the table
alone. With 6 parts and 11 tiles of 256 dimensions there are 132 programs for every 256 rows, one
for each multiprocessor of an H200.

At 256 rows, V = 262,144 and D = 2816 in bfloat16 the product is 378 GFLOP, 0.48 ms at 790 TFLOPS,
and reads the table's 1.48 GB, 0.35 ms at 4.3 TB/s. The belief is 134 MB, written and read, 60 us,
and takes an exponential and a tanh of 67 M logits, which is more; the sums of 6 parts are 17 MB.

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
from engine.kernels.gpu_numbers import ABSENT, INTERPRETED, nearest, roughly_scaled, scaled
from engine.kernels.raw_logits import RawLogits
from engine.kernels.soft_embedding import PARTS, ROWS

#: Rows, dimensions and tokens of a tile, by the dtype of the table.
TILES = {torch.bfloat16: (128, 256, 64), torch.float32: (64, 64, 32)}
#: Tokens of a program that believes.
_TILE = 2048
_WARPS, _STAGES = 8, 3


def gpu_soft_embedding(
    logits: RawLogits,
    log_sum_exp: Tensor,
    held: Tensor,
    table: Tensor,
    *,
    tiles: tuple[int, int, int] | None = None,
    parts: int = PARTS,
) -> Tensor:
    """See ``engine.kernels.soft_embedding.soft_embedding``."""
    embedded = table[held].contiguous()
    rows, (vocabulary, size) = len(logits.cells), table.shape
    if not rows:
        return embedded
    chosen = tiles or TILES[table.dtype]
    token_tile = chosen[2]
    part = triton.cdiv(triton.cdiv(vocabulary, parts), token_tile) * token_tile
    parts, most = triton.cdiv(vocabulary, part), min(rows, ROWS)
    width = triton.cdiv(vocabulary, token_tile) * token_tile
    belief = torch.empty((most, width), dtype=table.dtype, device=table.device)
    sums = torch.empty((most, parts, size), device=table.device)
    cells = logits.cells.contiguous()
    for first in range(0, rows, ROWS):
        some = min(ROWS, rows - first)
        _write_belief(logits, log_sum_exp, cells, belief, first, some)
        _multiply(belief, table, sums, some, part, chosen)
        _add_parts[(some,)](
            cells[first:],
            sums,
            embedded,
            size,
            parts,
            block=triton.next_power_of_2(size),
            num_warps=8,
        )
    return embedded


def _write_belief(
    logits: RawLogits, log_sum_exp: Tensor, cells: Tensor, belief: Tensor, first: int, some: int
) -> None:
    """Of so many positions from the ``first`` on; zeros behind the end of the vocabulary."""
    values, compact = logits.values, logits.values.dim() == 2
    _believe[(some, triton.cdiv(belief.shape[1], _TILE))](
        values[first:] if compact else values,
        cells[first:],
        *set_arguments(logits, cells),
        logits.temperature.contiguous(),
        log_sum_exp.contiguous(),
        belief,
        *((values.stride(0), 0, values.stride(1)) if compact else values.stride()),
        logits.length,
        logits.vocabulary,
        belief.shape[1],
        logits.softcap,
        compact=compact,
        tile=_TILE,
        num_warps=4,
    )


def _multiply(
    belief: Tensor, table: Tensor, sums: Tensor, some: int, part: int, tiles: tuple[int, int, int]
) -> None:
    """The first ``some`` rows of the belief times the table, part by part."""
    row_tile, size_tile, token_tile = tiles
    vocabulary, size = table.shape
    parts = sums.shape[1]
    grid = triton.cdiv(some, row_tile), triton.cdiv(size, size_tile), parts
    _mix[grid](
        belief,
        table,
        sums,
        belief.shape[1],
        *table.stride(),
        some,
        vocabulary,
        size,
        part,
        whole=vocabulary % token_tile == 0 and size % size_tile == 0,
        operand=tl.float32 if INTERPRETED.value or table.dtype == torch.float32 else tl.bfloat16,
        row_tile=row_tile,
        size_tile=size_tile,
        token_tile=token_tile,
        num_warps=_WARPS,
        num_stages=_STAGES,
    )


@triton.jit(do_not_specialize=["restricted", "length"])
def _believe(
    logits,
    cells,
    restricted,
    sets,
    which,
    sets_row,
    sets_token,
    temperature,
    log_sum_exp,
    belief,
    logits_row,
    logits_position,
    logits_token,
    length,
    vocabulary,
    width,
    softcap,
    compact: tl.constexpr,
    tile: tl.constexpr,
):
    """A tile of one position's belief."""
    row = tl.program_id(0)
    tokens = tl.program_id(1) * tile + tl.arange(0, tile)
    held = tokens < vocabulary
    cell = tl.load(cells + row)
    canvas, position = cell // length, cell % length
    logits += (row if compact else canvas).to(tl.int64) * logits_row + position * logits_position
    raw = tl.load(logits + tokens.to(tl.int64) * logits_token, mask=held, other=0.0)
    chosen = tl.load(which + cell, mask=restricted != 0, other=-1)
    if chosen >= 0:
        at = sets + chosen.to(tl.int64) * sets_row + tokens.to(tl.int64) * sets_token
        held = held & (tl.load(at, mask=held, other=0) != 0)
    warmth = tl.load(temperature + canvas)
    if belief.dtype.element_ty == tl.float32:
        x = scaled(raw, softcap, warmth)
    else:
        x = roughly_scaled(raw, softcap, warmth)
    x -= tl.load(log_sum_exp + cell)
    share = nearest(tl.exp(tl.where(held, x, ABSENT)), belief.dtype.element_ty)
    tl.store(belief + row.to(tl.int64) * width + tokens, share, mask=tokens < width)


@triton.jit(do_not_specialize=["rows"])
def _mix(
    belief,
    table,
    sums,
    belief_row,
    table_token,
    table_dimension,
    rows,
    vocabulary,
    size,
    part,
    whole: tl.constexpr,
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
    start = tl.program_id(2) * part
    end = tl.minimum(start + part, vocabulary)
    # Rows that are not there repeat the last: what they sum is not written.
    near = tl.minimum(row, rows - 1).to(tl.int64)
    belief_at = belief + (near * belief_row)[:, None] + (start + token)[None, :]
    table_at = table + (start + token).to(tl.int64)[:, None] * table_token
    table_at += (at.to(tl.int64) * table_dimension)[None, :]
    total = tl.zeros([row_tile, size_tile], tl.float32)
    for first in range(start, end, token_tile):
        share = tl.load(belief_at).to(operand)
        if whole:
            embeddings = tl.load(table_at).to(operand)
        else:
            seen = (first + token < vocabulary)[:, None] & wide[None, :]
            embeddings = tl.load(table_at, mask=seen, other=0.0).to(operand)
        total = tl.dot(share, embeddings, total, input_precision="ieee")
        belief_at += token_tile
        table_at += tl.cast(token_tile, tl.int64) * table_token
    out = (row.to(tl.int64) * tl.num_programs(2) + tl.program_id(2)) * size
    tl.store(sums + out[:, None] + at[None, :], total, mask=present[:, None] & wide[None, :])


@triton.jit
def _add_parts(cells, sums, embedded, size, parts, block: tl.constexpr):
    """Add one row's parts, in order."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    held = at < size
    total = tl.zeros([block], tl.float32)
    for part in range(parts):
        total += tl.load(sums + (row * parts + part) * size + at, mask=held)
    cell = tl.load(cells + row)
    tl.store(embedded + cell * size + at, nearest(total, embedded.dtype.element_ty), mask=held)
