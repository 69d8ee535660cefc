"""Milliseconds of products with weights in every precision, on a GPU, beside PyTorch's in bfloat16.

The matrices of DiffusionGemma 26B-A4B and its experts, with random weights, for 256 and for 8,192
rows in bfloat16. Every tile that may be chosen is measured; the one that is chosen is marked.
``--tiles`` measures others instead, which is how those in the kernels' files were found. Each is
run alone on a flushed cache; figures are medians. PyTorch's side is its product with the
dequantised weight, for experts a loop over them, and rounds no rows to fp8. Columns:

  weights      which matrix
  tiles        of outputs and rows, warps, and stages
  torch, triton    milliseconds
  x            how many times as fast
  GB/s, TFLOPS     of the kernel, counting what must be moved and multiplied at the least
  error        ||triton - torch|| / ||torch||

Needs a CUDA device, torch and triton alone. Writes benchmarks/results/weight_kernels.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import print_table, write_results
from engine.kernels import gpu_expert_parts, gpu_weight_product
from engine.kernels.expert_parts import plain_expert_parts
from engine.kernels.gpu_product_tiles import ProductTiles
from engine.precision.precision import Precision
from engine.precision.quantize import quantize
from engine.precision.weight import Weight

HIDDEN, EXPERTS, CHOSEN, INNER = 2816, 128, 8, 704
#: Outputs and inputs.
MATRICES = {
    "q, k, v": (8192, HIDDEN),
    "o": (HIDDEN, 4096),
    "gate, up": (4224, HIDDEN),
    "down": (HIDDEN, 2112),
}
HEAD = (262_144, HIDDEN)


@dataclass(frozen=True)
class Contest:
    """The two sides, and what either must do at the least."""

    weights: str
    precision: Precision
    rows: int
    torch: Callable[[], Tensor]
    triton: Callable[[ProductTiles], Tensor]
    tiles: tuple[ProductTiles, ...]
    chosen: ProductTiles
    bytes: float
    flops: float


def main() -> None:
    arguments = read_arguments()
    if not torch.cuda.is_available():
        print("needs a CUDA device")
        return
    rows: list[dict[str, object]] = []
    with torch.inference_mode():
        for count in arguments.rows:
            for precision in map(Precision, arguments.precisions):
                for contest in contests(arguments.weights, count, precision, torch.device("cuda")):
                    rows += measure(contest, arguments.tiles or contest.tiles)
    if not rows:
        print("nothing to measure: the head is kept in bfloat16 alone")
        return
    print_table("Products of weights, milliseconds", rows)
    print(write_results("weight_kernels", rows))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [p.value for p in Precision if p is not Precision.FLOAT32]
    parser.add_argument("--rows", type=int, nargs="+", default=[256, 8192])
    parser.add_argument("--precisions", nargs="+", choices=known, default=known)
    names = [*MATRICES, "head", "experts"]
    parser.add_argument("--weights", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--tiles",
        nargs="+",
        type=tiles_from,
        help="such as 256,128,8,3: outputs, rows, warps, stages",
    )
    return parser.parse_args()


def tiles_from(text: str) -> ProductTiles:
    """As ``told`` writes them.

    Raises:
        argparse.ArgumentTypeError: they are not four whole numbers.
    """
    try:
        out, rows, warps, stages = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"got {text!r}, accepted: outputs,rows,warps,stages, such as 256,128,8,3"
        ) from None
    return ProductTiles(out, rows, warps, stages)


def contests(
    names: Sequence[str], rows: int, precision: Precision, device: torch.device
) -> Iterator[Contest]:
    """Of these matrices; experts last."""
    matrices = MATRICES | ({"head": HEAD} if precision is Precision.BFLOAT16 else {})
    for name, (outputs, inputs) in matrices.items():
        if name in names:
            yield product_of(name, draw(outputs, inputs, device=device), rows, precision)
    if "experts" in names:
        gate_up = draw(EXPERTS, 2 * INNER, HIDDEN, device=device)
        down = draw(EXPERTS, HIDDEN, INNER, device=device)
        yield visit_of(gate_up, down, rows, precision)


def draw(*shape: int, device: torch.device) -> Tensor:
    return torch.randn(shape, dtype=torch.bfloat16, device=device) * shape[-1] ** -0.5


def product_of(name: str, matrix: Tensor, rows: int, precision: Precision) -> Contest:
    weight = quantize(matrix, precision).arranged()
    exact = weight.dequantized().bfloat16()
    x = draw(rows, weight.inputs, device=matrix.device) * weight.inputs**0.5
    return Contest(
        name,
        precision,
        rows,
        lambda: F.linear(x, exact),
        lambda tiles: gpu_weight_product.gpu_weight_product(x, weight, tiles=tiles),
        gpu_weight_product.tiles_of(precision, x.dtype),
        gpu_weight_product.tiles_for(rows, weight.outputs, precision, x.dtype),
        weight.nbytes + x.nbytes + 2 * rows * weight.outputs,
        2.0 * rows * matrix.numel(),
    )


def visit_of(gate_up: Tensor, down: Tensor, rows: int, precision: Precision) -> Contest:
    device, (experts, hidden, inner) = down.device, down.shape
    kept = quantize(gate_up, precision).arranged(), quantize(down, precision).arranged()
    exact = tuple(Weight(weight.dequantized().bfloat16()) for weight in kept)
    x = draw(rows, hidden, device=device) * hidden**0.5
    k = min(CHOSEN, experts)
    weights, chosen = torch.rand(rows, experts, device=device).topk(k, dim=-1)
    return Contest(
        "experts",
        precision,
        rows,
        lambda: plain_expert_parts(x, weights, chosen, *exact),
        lambda tiles: gpu_expert_parts.gpu_expert_parts(x, weights, chosen, *kept, tiles=tiles),
        gpu_expert_parts.tiles_of(precision, x.dtype),
        gpu_expert_parts.tiles_for(rows * k / experts, precision, x.dtype),
        sum(weight.nbytes for weight in kept) + 2 * x.nbytes,
        2.0 * rows * k * 3 * hidden * inner,
    )


def measure(contest: Contest, some: Sequence[ProductTiles]) -> Iterator[dict[str, object]]:
    """A row for each of some tiles; those that a GPU has no room for are said and passed over."""
    import triton
    from triton.testing import do_bench

    expected = contest.torch().float()
    plain = do_bench(contest.torch, return_mode="median")
    for tiles in some:
        try:
            found = contest.triton(tiles).float()
        except (triton.CompilationError, triton.OutOfResources) as error:
            print(f"{contest.weights}, {told(tiles)}: {error}")
            continue
        fused = do_bench(lambda tiles=tiles: contest.triton(tiles), return_mode="median")
        yield {
            "weights": contest.weights,
            "precision": contest.precision.value,
            "rows": contest.rows,
            "tiles": told(tiles) + (" *" if tiles == contest.chosen else ""),
            "torch": plain,
            "triton": fused,
            "x": plain / fused,
            "GB/s": contest.bytes / fused / 1e6,
            "TFLOPS": contest.flops / fused / 1e9,
            "error": float((found - expected).norm() / expected.norm()),
        }


def told(tiles: ProductTiles) -> str:
    return f"{tiles.out},{tiles.rows},{tiles.warps},{tiles.stages}"


if __name__ == "__main__":
    main()
