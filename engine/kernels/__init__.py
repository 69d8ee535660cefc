"""Kernels, each tested against the plain function that it must equal; ``cpu_*`` are for the CPU."""
