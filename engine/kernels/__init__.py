"""Kernels, each tested against the plain function that it must equal; ``cpu_*`` are for the CPU."""

from engine.kernels.code_cache import use_code_cache

use_code_cache()
