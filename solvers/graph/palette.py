"""Colours that tell classes apart, in pictures and in terminals."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: What marks a conflict; no class comes near it.
CONFLICT = "#d81e34"
#: A path's first step and its last.
PATH = ("#35a7a0", "#5b3fa8")
#: Picked by hand for white paper.
_PICKED = (
    "#3b75c4",
    "#f2a33a",
    "#3f9f6b",
    "#e87a93",
    "#8a68c8",
    "#4fbac6",
    "#b5773e",
    "#f4d65e",
    "#5c6b7e",
    "#a9c246",
    "#cf63b3",
    "#1d6e72",
)
#: From linear sRGB to the responses of cones and on to Oklab: B. Ottosson, "A perceptual color
#: space for image processing", 2020.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def color_of(index: int) -> str:
    """The colour of class ``index``, as ``#rrggbb``: twelve are picked, the others generated.

    Colours repeat after some hundreds.
    """
    if index < len(_PICKED):
        return _PICKED[index]
    generated = _generated()
    return generated[(index - len(_PICKED)) % len(generated)]


def ink_on(color: str) -> str:
    """Dark or white, whichever is easier to read on a colour."""
    # Relative luminance as WCAG 2 has it.
    luminance = _linear(color) @ np.array([0.2126, 0.7152, 0.0722])
    return "#1f2733" if luminance > 0.3 else "#ffffff"


def between(first: str, second: str, share: float) -> str:
    """A colour between two others, from the first at 0 to the second at 1."""
    a, b = _channels(first), _channels(second)
    return _hex(a + (b - a) * share)


@cache
def _generated() -> tuple[str, ...]:
    """Each the furthest from all before it, among tones that are neither dull nor glaring."""
    candidates = _candidates()
    taken = [_lab(_linear(color)) for color in (*_PICKED, CONFLICT, "#ffffff")]
    distance = np.min([_distance(candidates, color) for color in taken], axis=0)
    found = []
    for _ in range(len(candidates)):
        best = int(distance.argmax())
        found.append(_hex(_gamma(_rgb(candidates[best]))))
        distance = np.minimum(distance, _distance(candidates, candidates[best]))
        distance[best] = -1.0
    return tuple(found)


def _candidates() -> Floats:
    """Tones of Oklab that a screen can show, float64 [tones, 3]."""
    tones = np.meshgrid(
        np.linspace(0.48, 0.86, 7), np.linspace(0.04, 0.13, 4), np.arange(0, 2 * np.pi, np.pi / 20)
    )
    lightness, chroma, hue = (axis.ravel() for axis in tones)
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    rgb = _rgb(lab)
    shown: Floats = lab[((rgb >= 0) & (rgb <= 1)).all(axis=1)]
    return shown


def _distance(candidates: Floats, color: Floats) -> Floats:
    distance: Floats = np.linalg.norm(candidates - color, axis=1)
    return distance


def _lab(linear: Floats) -> Floats:
    lab: Floats = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def _rgb(lab: Floats) -> Floats:
    """Linear sRGB; out of 0 to 1 where a screen cannot show it."""
    cones = lab @ np.linalg.inv(_TO_LAB).T
    linear: Floats = cones**3 @ np.linalg.inv(_TO_CONES).T
    return linear


def _gamma(linear: Floats) -> Floats:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _linear(color: str) -> Floats:
    channels = _channels(color)
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _channels(color: str) -> Floats:
    return np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _hex(channels: Floats) -> str:
    return "#" + "".join(f"{round(float(channel) * 255):02x}" for channel in channels)
