"""Colour the vertices of a graph so that no edge joins two of one colour."""
