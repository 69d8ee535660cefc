"""Rules that couple positions of a canvas: the protocol and its families."""

from engine.constraints.all_different import AllDifferent
from engine.constraints.at_most_one import AtMostOne
from engine.constraints.base import Constraint
from engine.constraints.not_equal import NotEqual
from engine.constraints.tour import Tour

__all__ = ["AllDifferent", "AtMostOne", "Constraint", "NotEqual", "Tour"]
