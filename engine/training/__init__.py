"""On-policy training, for any solver's data."""
