"""Tests of the service, against a real server with a fake engine."""
