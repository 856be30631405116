"""The picture strip: a structure at start, middle and end as SVG, one camera for all, the cores drawn."""

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from numpy.typing import NDArray

from analysis.report.colours import element_colour, element_radius_A
from analysis.report.viewer_data import ViewerCase, ViewerData

WIDTH = 1000
MARGIN = 14
ELEVATION_DEG = 14.0
# Turns of the camera about z that are tried, from the side of the cell that shows its width.
AZIMUTHS_DEG = tuple(range(12, 40, 4))
N_LAYERS = 14
MAX_ATOMS = 8000
MOST_POSES = 6
# Atoms of molecules are drawn smaller, so that one sees their bonds and what is behind.
BONDED_SHARE = 0.6
BOND_RADIUS_A, BOND_COLOUR = 0.14, "#8A94A0"
NO_BONDS = np.empty((0, 2), dtype=np.int64)
MOBILE_REGION = "potassium"
NOT_TRACKED = "the dislocation cores are not known"


@dataclass(frozen=True)
class Camera:
    """An orthographic camera: its turn about z, rotation (3, 3), scale in picture units per Å, offset, height."""

    azimuth_deg: float
    rotation: NDArray[np.float64]
    scale: float
    offset: NDArray[np.float64]
    height: int

    def project(self, points_A: NDArray[Any]) -> NDArray[np.float64]:
        """Points (n, 3) in Å → picture x, y (down) and nearness, shape (n, 3)."""
        view = np.asarray(points_A, dtype=np.float64).reshape(-1, 3) @ self.rotation.T
        picture = np.stack([view[:, 0], -view[:, 2]], axis=1) * self.scale + self.offset
        return np.column_stack([picture, -view[:, 1]])


@dataclass(frozen=True)
class Panel:
    """One picture: SVG, moment and time (poses have none), a description for those who do not see it, and a note."""

    svg: Markup
    time_ps: float | None
    moment: str
    alt: str
    note: str = ""


def build_camera(viewer: ViewerData) -> Camera:
    """The camera that holds every frame of every case that the strip shows."""
    azimuth_deg = choose_azimuth(viewer)
    rotation = _build_rotation(azimuth_deg)
    shown = [np.asarray(case.positions_A)[pick_frames(case)].reshape(-1, 3) for case in viewer.cases.values()]
    view = np.concatenate(shown) @ rotation.T
    flat = np.stack([view[:, 0], -view[:, 2]], axis=1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    edge_A = max(element_radius_A(element) for case in viewer.cases.values() for element in set(case.elements))
    low, high = low - edge_A, high + edge_A
    scale = (WIDTH - 2 * MARGIN) / max(float(high[0] - low[0]), 1.0)
    height = round(float(high[1] - low[1]) * scale) + 2 * MARGIN
    return Camera(azimuth_deg=azimuth_deg, rotation=rotation, scale=scale, offset=MARGIN - low * scale, height=height)


def choose_azimuth(viewer: ViewerData) -> float:
    """Turn of the camera about z, in degrees: the cell's long side across, and no core hidden behind another."""
    first = next(iter(viewer.cases.values()))
    a, b = np.linalg.norm(np.asarray(first.cell_A, dtype=float)[:2], axis=1)
    turns = [angle - (90.0 if b > a else 0.0) for angle in AZIMUTHS_DEG]
    cores = [np.asarray(case.core_track_A)[0] for case in viewer.cases.values() if case.core_track_A is not None]
    if not cores or not np.isfinite(cores[0]).all() or len(cores[0]) < 2:  # noqa: PLR2004 - one core hides no other
        return turns[len(turns) // 2]

    def spread(turn: float) -> float:
        across = np.sort(cores[0] @ _build_rotation(turn)[0, :2])
        return float(np.diff(across).min())

    return max(turns, key=spread)


def _build_rotation(azimuth_deg: float) -> NDArray[np.float64]:
    azimuth, elevation = math.radians(azimuth_deg), math.radians(ELEVATION_DEG)
    turn = np.array(
        [[math.cos(azimuth), -math.sin(azimuth), 0], [math.sin(azimuth), math.cos(azimuth), 0], [0, 0, 1.0]]
    )
    tilt = np.array(
        [[1.0, 0, 0], [0, math.cos(elevation), -math.sin(elevation)], [0, math.sin(elevation), math.cos(elevation)]]
    )
    return np.asarray(tilt @ turn)


def pick_frames(case: ViewerCase) -> list[int]:
    """Frames of start, middle and end, without repeats; of poses the first ones."""
    if case.frame_names:
        return list(range(min(len(case.frame_names), MOST_POSES)))
    last = len(case.time_ps) - 1
    return sorted({0, last // 2, last})


def draw_strip(viewer: ViewerData) -> dict[str, list[Panel]]:
    """Pictures of each case, by the case's name."""
    camera = build_camera(viewer)
    names = {1: ["start"], 2: ["start", "end"], 3: ["start", "middle", "end"]}
    strip: dict[str, list[Panel]] = {}
    for name, case in viewer.cases.items():
        frames = pick_frames(case)
        moments = [case.frame_names[frame] for frame in frames] if case.frame_names else names[len(frames)]
        strip[name] = [
            _draw_panel(case, frame=frame, camera=camera, moment=moment, identity=f"{name}-{frame}")
            for frame, moment in zip(frames, moments, strict=True)
        ]
    return strip


def count_inside(case: ViewerCase, *, frame: int) -> int:
    """Number of mobile atoms between bottom and top of the solid in a frame."""
    return int(_is_inside(case, frame=frame).sum())


def _is_inside(case: ViewerCase, *, frame: int) -> NDArray[np.bool_]:
    low_A, high_A = case.line_z_range_A
    z_A = np.asarray(case.positions_A)[frame, :, 2]
    mobile = np.array([region == MOBILE_REGION for region in case.regions])
    return mobile & (z_A < high_A) & (z_A > low_A)


def _draw_panel(case: ViewerCase, *, frame: int, camera: Camera, moment: str, identity: str) -> Panel:
    stride = -(-len(case.elements) // MAX_ATOMS)
    picked = np.arange(0, len(case.elements), stride)
    picture = camera.project(np.asarray(case.positions_A)[frame][picked])
    inside = _is_inside(case, frame=frame)[picked]
    elements = np.array(case.elements)[picked]
    bonds = NO_BONDS if case.bonds is None or stride > 1 else np.asarray(case.bonds)
    groups = _group_atoms(picture, elements=elements, chosen=~inside, camera=camera, bonds=bonds)
    xray = _group_atoms(picture, elements=elements, chosen=inside, camera=camera)
    lines = _project_cores(case, frame=frame, camera=camera)
    time_ps = None if case.frame_names else float(case.time_ps[frame])
    when = moment if time_ps is None else f"{moment}, {time_ps:.4g} ps"
    alt = f"{case.label} at {when}: {len(case.elements)} atoms seen from the side"
    if (inside_count := count_inside(case, frame=frame)) or MOBILE_REGION in case.regions:
        alt += f"; {inside_count} {MOBILE_REGION} atoms are inside the solid"
    if lines:
        alt += f"; {len(lines)} dislocation lines run down from the interface"
    note = NOT_TRACKED if case.core_track_A is not None and not lines else ""
    if note:
        alt += f"; {note}"
    svg = (
        _environment()
        .get_template("picture.svg.j2")
        .render(
            width=WIDTH,
            height=camera.height,
            groups=groups,
            xray=xray,
            lines=lines,
            plane=_project_plane(case, camera=camera),
            identity="".join(letter if letter.isalnum() else "-" for letter in identity),
            alt=alt,
        )
    )
    return Panel(svg=Markup(svg), time_ps=time_ps, moment=moment, alt=alt, note=note)  # noqa: S704 - rendered with autoescape


def _group_atoms(
    picture: NDArray[np.float64],
    *,
    elements: NDArray[np.str_],
    chosen: NDArray[np.bool_],
    camera: Camera,
    bonds: NDArray[np.integer[Any]] = NO_BONDS,
) -> list[dict[str, Any]]:
    """Atoms of one depth and element share one path of dots, from back to front, and so do bonds: quick to draw."""
    if not chosen.any():
        return []
    nearness = picture[:, 2]
    low, high = float(nearness.min()), float(nearness.max())
    layer = np.minimum(((nearness - low) / max(high - low, 1e-9) * N_LAYERS).astype(int), N_LAYERS - 1)
    groups: list[dict[str, Any]] = []
    bonded = np.isin(np.arange(len(elements)), bonds)
    for number in range(N_LAYERS):
        opacity = round(0.45 + 0.55 * number / (N_LAYERS - 1), 2)
        ends = np.rint(picture[bonds[layer[bonds].max(axis=1, initial=0) == number], :2]).astype(int)
        if len(ends):
            path = "".join(f"M{x} {y}L{u} {v}" for (x, y), (u, v) in ends.tolist())
            radius = round(BOND_RADIUS_A * camera.scale, 1)
            groups.append({"path": path, "fill": BOND_COLOUR, "radius": radius, "opacity": opacity})
        for element, is_bonded in itertools.product(sorted(set(elements.tolist())), (False, True)):
            dots = picture[chosen & (layer == number) & (elements == element) & (bonded == is_bonded), :2]
            if len(dots) == 0:
                continue
            radius_A = element_radius_A(element) * (BONDED_SHARE if is_bonded else 1.0)
            groups.append(
                {
                    "path": "".join(f"M{x} {y}h0" for x, y in np.rint(dots).astype(int).tolist()),
                    "fill": element_colour(element),
                    "radius": round(radius_A * camera.scale, 1),
                    "opacity": opacity,
                }
            )
    return groups


def _project_cores(case: ViewerCase, *, frame: int, camera: Camera) -> list[tuple[list[int], int]]:
    """Both ends of each core's line in the picture, and the sense of the core (0 if unknown)."""
    if case.core_track_A is None:
        return []
    low_A, high_A = case.line_z_range_A
    cores = np.asarray(case.core_track_A, dtype=float)[frame]
    signs = case.core_signs or ((1, -1) if len(cores) == 2 else (0,) * len(cores))  # noqa: PLR2004 - a dipole
    lines = []
    for (x_A, y_A), sign in zip(cores, signs, strict=True):
        if np.isfinite([x_A, y_A]).all():
            ends = camera.project(np.array([[x_A, y_A, low_A], [x_A, y_A, high_A]]))[:, :2]
            lines.append(([round(float(value)) for value in ends.ravel()], sign))
    return lines


def _project_plane(case: ViewerCase, *, camera: Camera) -> str:
    low_A, high_A = case.line_z_range_A
    if high_A <= low_A:
        return ""
    a, b = np.asarray(case.cell_A, dtype=float)[:2]
    corners = np.array([a * 0, a, a + b, b]) + np.array([0.0, 0.0, high_A])
    points = camera.project(corners)[:, :2]
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in points)


@cache
def _environment() -> Environment:
    loader = PackageLoader("analysis.report", "templates")
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
