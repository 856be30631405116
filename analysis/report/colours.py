"""Colours of elements, regions and cases: Okabe and Ito's palette, potassium warm, the solid cool."""

# Source: M. Okabe, K. Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#999999"

ELEMENT_COLOURS = {
    "K": ORANGE,
    "Bi": BLUE,
    "Sb": SKY,
    "Sn": "#A9B4BD",
    "Pb": "#5C6770",
    "Zn": PURPLE,
    "Li": PURPLE,
    "Na": YELLOW,
    "H": "#E8E8E8",
    "C": "#4D4D4D",
    "N": BLUE,
    "O": VERMILLION,
    "F": GREEN,
    "S": YELLOW,
    "Ti": GREY,
    "Fe": "#8C5A2B",
    "Cu": "#C9803F",
    "Co": "#6A3D9A",
}
REGION_COLOURS = {
    "potassium": ORANGE,
    "alloy": SKY,
    "anchor": "#5C6770",
    "electrode": "#5C6770",
    "layer": ORANGE,
    "electrolyte": SKY,
}
# Regions that are drawn small or not at all when one wants to look behind them, and what they are called.
SOLID_REGIONS = {"alloy": "Alloy", "anchor": "Alloy", "substrate": "Substrate", "electrode": "Electrode"}
SPARE_COLOURS = (GREEN, PURPLE, YELLOW, VERMILLION, BLUE, GREY)
CORE_COLOUR = "#C2185B"

ELEMENT_RADII_A = {"K": 1.4, "Na": 1.2, "Li": 1.0, "H": 0.5, "C": 0.75, "N": 0.72, "O": 0.7, "F": 0.65, "S": 1.0}
DEFAULT_RADIUS_A = 0.95


def element_colour(symbol: str) -> str:
    """Colour of an element; one that has none of its own takes a spare one that depends on its name only."""
    return ELEMENT_COLOURS.get(symbol) or SPARE_COLOURS[sum(map(ord, symbol)) % len(SPARE_COLOURS)]


def region_colour(region: str) -> str:
    """Colour of a region, by the same rule."""
    return REGION_COLOURS.get(region) or SPARE_COLOURS[sum(map(ord, region)) % len(SPARE_COLOURS)]


def element_radius_A(symbol: str) -> float:
    """Radius in Å at which an atom is drawn; smaller than its size, so that one can look in."""
    return ELEMENT_RADII_A.get(symbol, DEFAULT_RADIUS_A)
