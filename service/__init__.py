"""The gRPC service: turns messages into problems and answers into messages."""
