"""How graph problems are solved: by the model alone, guided, by default, and by what else there is.

Two parts, each of which writes its own JSON:

  planted   random graphs with a hidden answer, generated here: how many are solved by each effort,
            by greedy DSATUR (networkx) and by CP-SAT without hints
  lists     public graphs (--lists FOLDER with coloring/, independent_set/ and a CSV beside each
            that names the best known): the fewest colours and the largest set that a default call
            finds within --limit seconds, beside DSATUR or a greedy set and CP-SAT without hints
            under the same limit; and whether the model alone, and guided, reach the best known

Three kinds of number that are never mixed:

  model     guidance NONE, at most 64 steps, no search; one candidate, then 16
  guided    guidance PROPAGATE, at most 64 steps, no search
  default   what a caller gets who asks for nothing

Every answer is checked with networkx; a wrong one ends the program with an error.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from benchmarks.common import print_table, write_results
from benchmarks.graph_lists import measure_colorings, measure_independent_sets
from benchmarks.graph_planted import measure_planted
from benchmarks.graph_solving import Solving
from engine.checkpoint import load_checkpoint
from engine.cores import usable_cores
from engine.engine import Engine
from engine.limits import EngineLimits
from solvers.bundled import bundled_checkpoints
from solvers.search_pool import SearchPool

TASKS = ("coloring", "independent-set", "hamiltonian")


async def run(options: argparse.Namespace) -> int:
    """Measure; how many answers were wrong."""
    folders = {name: bundled_checkpoints()[name] for name in TASKS}
    folders |= dict(zip(TASKS, options.checkpoints or (), strict=False))
    checkpoints = {name: load_checkpoint(folder) for name, folder in folders.items()}
    weights = {name: checkpoint.digest for name, checkpoint in checkpoints.items()}
    limits = EngineLimits(max_batch=64, max_queue=8192, threads=options.threads)
    wrong = 0
    with Engine(checkpoints, limits) as engine, SearchPool() as searches:
        solving = Solving(engine, searches, options.limit)
        parts = {}
        if "planted" in options.parts:
            parts["graph_planted"] = await measure_planted(solving, options.count)
        if "lists" in options.parts and options.lists is not None:
            folder, most = options.lists, options.most
            parts["graph_coloring"] = await measure_colorings(solving, folder, most)
            parts["graph_independent_set"] = await measure_independent_sets(solving, folder, most)
    for name, rows in parts.items():
        print_table(name.replace("_", " "), rows, threads=options.threads)
        meta = {
            "module": "graph",
            "threads": options.threads,
            "limit_s": options.limit,
            "digests": weights,
        }
        print(write_results(name + options.suffix, rows, **meta))
        wrong += sum(int(row["wrong"]) for row in rows)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--parts", nargs="*", default=["planted", "lists"], choices=["planted", "lists"]
    )
    parser.add_argument("--count", type=int, default=500, help="planted graphs of each kind")
    parser.add_argument("--lists", type=Path, help="folder of public graphs; without it, none")
    parser.add_argument("--most", type=int, default=512, help="vertices of a public graph at most")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds of a search")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="of the engine")
    parser.add_argument("--checkpoints", nargs="*", type=Path, help=f"of {TASKS}, in this order")
    parser.add_argument("--suffix", default="", help="of the names of the JSON files")
    if wrong := asyncio.run(run(parser.parse_args())):
        raise SystemExit(f"{wrong} wrong answers")


if __name__ == "__main__":
    main()
