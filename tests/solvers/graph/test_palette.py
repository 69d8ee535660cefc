"""Colours that tell classes apart."""

import itertools
import re

import numpy as np
import pytest

from solvers.graph.palette import CONFLICT, between, color_of, ink_on


def rgb(color: str) -> np.ndarray:
    assert re.fullmatch("#[0-9a-f]{6}", color)
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


def test_no_two_of_forty_colours_are_alike_nor_like_a_conflict() -> None:
    colors = [*(color_of(index) for index in range(40)), CONFLICT, "#ffffff"]
    assert all(np.abs(rgb(a) - rgb(b)).sum() > 40 for a, b in itertools.combinations(colors, 2))


def test_every_class_of_the_largest_graph_has_a_colour() -> None:
    assert len({color_of(index) for index in range(512)}) > 400


@pytest.mark.parametrize("index", range(64))
def test_labels_can_be_read_on_every_colour(index: int) -> None:
    def luminance(color: str) -> float:
        share = rgb(color) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    paper, ink = luminance(color_of(index)), luminance(ink_on(color_of(index)))
    assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) > 3


def test_a_colour_between_two_is_a_share_of_both() -> None:
    ends = "#102030", "#304050"
    assert [between(*ends, share) for share in (0, 0.5, 1)] == ["#102030", "#203040", "#304050"]
