"""Weights in the precision they are kept in, and the products that read them so."""
