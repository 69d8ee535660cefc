"""Triton kernels, each beside the PyTorch function it must equal."""
