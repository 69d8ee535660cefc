"""The core engine: tensors, canvases, checkpoints. Knows no puzzle and no gRPC."""
