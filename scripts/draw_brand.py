#!/usr/bin/env python3
"""Draws the brand images of Strata into custom_components/strata/brand.

The mark is three stacked layers seen from above, the fresh one on top, each with its own thickness. Run it with
the Python of .venv after changing it; the images are committed.
"""

from pathlib import Path

from PIL import Image, ImageDraw

type Colour = tuple[int, int, int, int]

BRAND = Path(__file__).parent.parent / "custom_components" / "strata" / "brand"
SIZES = {"icon.png": 256, "icon@2x.png": 512}
OVERSAMPLING = 8

# In hundredths of the image: the centre line and the reach of a layer's upper face, and its thickness.
CENTRE = 50.0
HALF_WIDTH = 46.0
HALF_DEPTH = 20.0
THICKNESS = 9.0

# From the lowest layer to the top one: vertical centre of the face, its colour, the colour of its edge.
LAYERS: tuple[tuple[float, Colour, Colour], ...] = (
    (68.5, (38, 70, 110, 255), (26, 49, 79, 255)),
    (47.0, (32, 128, 160, 255), (22, 96, 122, 255)),
    (25.5, (86, 200, 176, 255), (54, 158, 138, 255)),
)
GAP = 3.0


def _scaled(points: list[tuple[float, float]], size: int) -> list[tuple[float, float]]:
    return [(x * size / 100, y * size / 100) for x, y in points]


def _face(middle: float, grown: float = 0.0) -> list[tuple[float, float]]:
    wide, deep = HALF_WIDTH + grown * HALF_WIDTH / HALF_DEPTH, HALF_DEPTH + grown
    return [(CENTRE - wide, middle), (CENTRE, middle - deep), (CENTRE + wide, middle), (CENTRE, middle + deep)]


def _body(middle: float, grown: float = 0.0) -> list[tuple[float, float]]:
    """Return the outline of a layer with its thickness: the face above, its lower half moved down below."""
    left, back, right, front = _face(middle, grown)
    return [
        left,
        back,
        right,
        (right[0], right[1] + THICKNESS),
        (front[0], front[1] + THICKNESS),
        (left[0], left[1] + THICKNESS),
    ]


def draw(size: int) -> Image.Image:
    """Draw the mark.

    Args:
        size: Width and height in pixels.

    Returns:
        An RGBA image with a transparent background and smooth edges.
    """
    large = size * OVERSAMPLING
    image = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    for middle, face, edge in LAYERS:
        # A clear seam below each layer keeps them apart on light and dark backgrounds alike.
        pen.polygon(_scaled(_body(middle, grown=GAP), large), fill=(0, 0, 0, 0))
        pen.polygon(_scaled(_body(middle), large), fill=edge)
        pen.polygon(_scaled(_face(middle), large), fill=face)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def main() -> None:
    """Write every size."""
    BRAND.mkdir(exist_ok=True)
    for name, size in SIZES.items():
        draw(size).save(BRAND / name, optimize=True)
        print(BRAND / name)


if __name__ == "__main__":
    main()
