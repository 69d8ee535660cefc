"""Compiles every Triton kernel to machine code, which needs no GPU. Run as a program.

Not to be imported by tests, in whose process kernels are interpreted. It says what each takes, and
fails where that is more shared memory than a Hopper GPU has, registers had to be spilled, a product
may read what has changed, or a row's bits could depend on how the work is cut.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from engine.kernels import (
    gpu_expert_parts,
    gpu_router,
    gpu_segment_attention,
    gpu_weight_product,
)
from tests.engine.kernels.cuda_cases import all_cases

HOPPER = GPUTarget("cuda", 90, 32)
#: Bytes that a program may have of shared memory there.
SHARED = 227 * 1024
#: Bytes that a thread may spill where that does not matter.
SPARED = 256
#: Of which each row's bits must not depend on tiles.
PRODUCTS = (
    gpu_weight_product._product,
    gpu_expert_parts._gate_up,
    gpu_expert_parts._down,
    gpu_router._score,
)


def main() -> None:
    seen = set()
    for kernel, types, chosen, options in all_cases():
        seen.add((kernel.__module__, kernel.__name__))
        binary = compiled(kernel, types, chosen, options)
        registers, spilled = resources(binary)
        shared = binary.metadata.shared
        print(f"{kernel.__name__} {chosen}: {registers} registers, {shared} B shared", flush=True)
        assert shared <= SHARED, f"{shared} B of shared memory, {SHARED} B there are"
        # Products in float32, which no large model computes in, may spill a little.
        spared = SPARED if chosen.get("operand") == tl.float32 else 0
        assert spilled <= spared, f"{spilled} B spilled"
        assert not unawaited(binary.asm["ttgir"]), "a product may read registers that changed"
        accepted = instructions(kernel, chosen, options)
        if accepted is not None:
            used = set(re.findall(r"(?:wgmma\.mma_async|mma\.sync)\S+", binary.asm["ptx"]))
            assert used == accepted, f"{used}: the bits of a row may depend on how work is cut"
    assert seen == launched(), f"only one side has {seen ^ launched()}"


def launched() -> set[tuple[str, str]]:
    """Module and name of every kernel that one of ours launches, as ``_name[grid]``."""
    return {
        (f"engine.kernels.{file.stem}", name)
        for file in Path(gpu_router.__file__).parent.glob("gpu_*.py")
        for name in re.findall(r"^ +(_\w+)\[", file.read_text(encoding="utf-8"), re.MULTILINE)
    }


def instructions(
    kernel: Any, chosen: Mapping[str, Any], options: int | dict[str, int]
) -> set[str] | None:
    """The tensor cores' that a kernel is to multiply by, and no others; None where any will do."""
    if chosen.get("operand") in (None, tl.float32):
        return None
    if kernel is gpu_segment_attention._attend:
        return {_wgmma(chosen[side], chosen["operand"]) for side in ("key_tile", "value_tile")}
    if kernel not in PRODUCTS:
        return None
    assert isinstance(options, dict)
    return {_wgmma(options["row_tile"], chosen["operand"])}


def _wgmma(columns: int, operand: Any) -> str:
    kind = "k32.f32.e4m3.e4m3" if operand == tl.float8e4nv else "k16.f32.bf16.bf16"
    return f"wgmma.mma_async.sync.aligned.m64n{columns}{kind}"


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
