"""Tests of the benchmarks that need hardware which is seldom there."""
