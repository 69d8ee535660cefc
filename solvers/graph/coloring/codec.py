"""A colouring problem as a canvas, and back."""

#: Tokens of the colouring checkpoint: token c is colour c.
VOCABULARY = 32
