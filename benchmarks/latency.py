"""Milliseconds for one puzzle at a time through gRPC on loopback, default effort.

A server process with the bundled checkpoint, a client process (this one), one call after another.
Writes benchmarks/results/latency.json.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

import grpc
import numpy as np
from inkfill.v1 import sudoku_pb2, sudoku_pb2_grpc

from benchmarks.common import print_table, write_results
from engine.cores import usable_cores
from solvers.sudoku.data import read_puzzles
from solvers.sudoku.generator import generate
from solvers.sudoku.geometry import geometry

WARM_UP = 10


async def start_server() -> tuple[asyncio.subprocess.Process, str]:
    """``inkfill serve`` on a free port; its address, read from its log."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from service.cli import main; main()"),
        *("serve", "--port", "0", "--log-format", "json"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        if '"listening"' in line:
            address = line.split('"address": "')[1].split('"')[0]
            return process, address
    raise SystemExit("the server did not start")


async def drain(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass


async def measure(puzzles: np.ndarray, address: str) -> list[float]:
    """Milliseconds of each call, without the first few."""
    times = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub = sudoku_pb2_grpc.SudokuStub(channel)
        for puzzle in puzzles:
            started = time.perf_counter()
            await stub.Solve(sudoku_pb2.SolveRequest(cells=puzzle.tolist()))
            times.append((time.perf_counter() - started) * 1e3)
    return times[WARM_UP:]


async def run(lists: list[Path], count: int) -> None:
    shape, rows = geometry(3, 3), []
    named = {"generated 9x9, minimal": generate(shape, count + WARM_UP, seed=30_000).puzzles}
    for path in lists:
        named[path.name.split(".")[0]] = read_puzzles(path, shape).puzzles[: count + WARM_UP]
    process, address = await start_server()
    assert process.stderr is not None
    draining = asyncio.create_task(drain(process.stderr))
    for name, puzzles in named.items():
        times = await measure(puzzles, address)
        low, median, high = np.percentile(times, [10, 50, 90])
        rows.append(
            {
                "list": name,
                "puzzles": len(times),
                "median ms": round(float(median), 1),
                "10 % ms": round(float(low), 1),
                "90 % ms": round(float(high), 1),
            }
        )
    process.terminate()
    await process.wait()
    await draining
    threads = usable_cores()  # of the server, by default
    print_table("One puzzle at a time through gRPC, default effort", rows, threads=threads)
    print(write_results("latency", rows, threads=threads))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lists", nargs="*", type=Path, help="CSV files of 9 x 9 puzzles")
    parser.add_argument("--count", type=int, default=200, help="puzzles of each list")
    options = parser.parse_args()
    asyncio.run(run(options.lists, options.count))


if __name__ == "__main__":
    main()
