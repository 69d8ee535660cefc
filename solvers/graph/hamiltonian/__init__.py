"""Visit every vertex of a graph once, along its edges."""
