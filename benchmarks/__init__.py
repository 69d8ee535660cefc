"""Benchmarks: each prints a table and writes JSON with commit, device and date."""
