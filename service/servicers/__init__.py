"""One servicer for each gRPC service."""
