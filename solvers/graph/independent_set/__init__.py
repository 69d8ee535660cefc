"""Choose vertices of a graph so that no edge joins two of them."""
