"""Sudoku: grids from 4 x 4 to 16 x 16 with any box shape."""
