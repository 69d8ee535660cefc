"""The PTX of decoding, which no interpreter runs, says of every byte what it stands for.

It is run here line by line, on 32 bits, as the PTX manual defines its few instructions.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

pytest.importorskip("triton")
from engine.kernels.gpu_decoding import INT4_PTX, INT8_PTX

Bits = NDArray[np.uint32]


def test_every_byte_of_int8_is_decoded_in_either_place() -> None:
    expected = np.arange(256).astype(np.uint8).view(np.int8).astype(np.float32)
    for decoded in both_bytes(INT8_PTX.value):
        assert np.array_equal(decoded, expected)


def test_every_nibble_of_int4_is_decoded_in_its_place() -> None:
    fours = np.arange(2**16, dtype=np.uint32)
    for word, half in ((fours, 0), (fours << 16 | 0xABCD, 1)):
        found = run(INT4_PTX.value, word, outputs=4)
        for quarter, bits in enumerate(found):
            expected = (fours >> (4 * quarter) & 15).astype(np.float32) - 8
            assert np.array_equal(halves(bits)[half], expected)


def both_bytes(ptx: str) -> list[NDArray[np.float32]]:
    """What becomes of 0..255 in each byte of 32 bits, in the order of the results' halves."""
    byte = np.arange(256, dtype=np.uint32)
    found = []
    for place in range(4):
        others = np.uint32(0x5AA53CC3) & ~np.uint32(0xFF << 8 * place)
        results = run(ptx, byte << 8 * place | others, outputs=2)
        found.append(halves(results[place % 2])[place // 2])
    return found


def halves(bits: Bits) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two bfloat16, the low one first, as float32."""
    return (bits << 16).view(np.float32), (bits & np.uint32(0xFFFF0000)).view(np.float32)


def run(ptx: str, word: Bits, outputs: int) -> list[Bits]:
    """What the instructions leave in their outputs; ``word`` is the operand after those."""
    registers: dict[str, Bits] = {f"${outputs}": word}
    for name, arguments in re.findall(r"^\s*([\w.]+)\s+(.*);$", ptx, re.MULTILINE):
        if name == ".reg":
            continue
        target, *operands = arguments.split(", ")
        values = [registers[x] if x in registers else np.uint32(int(x, 0)) for x in operands]
        registers[target] = np.broadcast_to(INSTRUCTIONS[name](*values), word.shape).copy()
    return [registers[f"${i}"] for i in range(outputs)]


def in_halves(operation: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., Bits]:
    """An instruction on two bfloat16, rounded to the nearest."""

    def instruction(x: Bits, y: Bits) -> Bits:
        low, high = (
            torch.from_numpy(operation(a, b)).bfloat16().float().numpy().view(np.uint32)
            for a, b in zip(halves(x), halves(y), strict=True)
        )
        return low >> 16 | high

    return instruction


def or_of_and(x: Bits, y: Bits, z: Bits, table: Bits) -> Bits:
    assert table == (0xF0 & 0xCC) | 0xAA
    return x & y | z


INSTRUCTIONS: dict[str, Callable[..., Bits]] = {
    "mov.b32": lambda x: x,
    "shl.b32": lambda x, count: x << count,
    "shr.b32": lambda x, count: x >> count,
    "and.b32": lambda x, y: x & y,
    "lop3.b32": or_of_and,
    "mul.bf16x2": in_halves(np.multiply),
    "sub.bf16x2": in_halves(np.subtract),
}
