"""Solvers: problems on top of the engine. Knows no gRPC."""
