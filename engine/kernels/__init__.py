"""Kernels, each tested against the plain function that it must equal.

``cpu_*`` are for the CPU, compiled by numba from the vectors of ``simd*``; ``gpu_*`` are for CUDA,
in Triton, and imported only where they run, by the file of the same name that holds the plain
function.
"""

from importlib.util import find_spec

if find_spec("numba"):  # a GPU node may do without
    from engine.kernels.code_cache import use_code_cache

    use_code_cache()
