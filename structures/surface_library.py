"""Substrates by name: crystals at their measured lattice constants, cut along faces that batteries meet."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from ase import Atoms
from ase.build import bulk

from structures.crystal_planes import Miller
from structures.errors import InputError
from structures.surface import Surface, build_surface

VACUUM_A = 20.0

_LITHIUM = "bcc Li, a = 3.51 Å at 298 K (Nadler & Kempter 1959, Anal. Chem. 31, 2109)"
_NITRIDE = "rock-salt TiN, a = 4.24 Å (Lengauer 1992, doi:10.1016/0925-8388(92)90016-3)"
_COPPER = "fcc Cu, a = 3.615 Å at 298 K (Straumanis & Yu 1969, doi:10.1107/S0567739469001549)"
_GRAPHENE = "graphene, a = 2.46 Å as in graphite (Baskin & Meyer 1955, doi:10.1103/PhysRev.100.544)"


@dataclass(frozen=True)
class Substrate:
    """How a named substrate is cut.

    Attributes:
        crystal: key of the crystal.
        miller: indices of the plane in the conventional cell.
        n_layers: planes of atoms, if not asked for otherwise.
        fixed_layers: of them held, from the bottom.
        meaning: in words, for people who choose.
        source: of the lattice constant.
        termination: uppermost plane; None: the only one.
    """

    crystal: str
    miller: Miller
    n_layers: int
    fixed_layers: int
    meaning: str
    source: str
    termination: str | None = None


_POLAR = "polar stacking; 7 planes have equal faces, an even number of planes has a dipole moment"
SUBSTRATES: dict[str, Substrate] = {
    "Li(001)": Substrate("Li", (0, 0, 1), 7, 3, "lithium metal, the face of its cube", _LITHIUM),
    "Li(110)": Substrate("Li", (1, 1, 0), 6, 2, "lithium metal, its closest-packed face", _LITHIUM),
    "Li(111)": Substrate("Li", (1, 1, 1), 12, 5, "lithium metal, its open face", _LITHIUM),
    "TiN(001)": Substrate("TiN", (0, 0, 1), 5, 2, "titanium nitride, the face of its cube; neutral planes", _NITRIDE),
    "TiN(111)-Ti": Substrate("TiN", (1, 1, 1), 7, 3, f"titanium nitride ending in Ti; {_POLAR}", _NITRIDE, "Ti"),
    "TiN(111)-N": Substrate("TiN", (1, 1, 1), 7, 3, f"titanium nitride ending in N; {_POLAR}", _NITRIDE, "N"),
    "Cu(111)": Substrate("Cu", (1, 1, 1), 4, 2, "copper, the current collector's closest-packed face", _COPPER),
    "graphene": Substrate("graphene", (0, 0, 1), 1, 0, "one flat sheet of carbon", _GRAPHENE),
}


def describe_substrates() -> dict[str, str]:
    """Name and meaning of the built-in substrates."""
    return {name: substrate.meaning for name, substrate in SUBSTRATES.items()}


def build_substrate(
    name: str,
    *,
    n_layers: int | None = None,
    repeats: tuple[int, int] = (1, 1),
    vacuum_A: float = VACUUM_A,
    fixed_layers: int | None = None,
) -> Surface:
    """A built-in substrate.

    Args:
        name: a key of `SUBSTRATES`.
        n_layers: number of planes; None: the substrate's own.
        repeats: lateral cells along the first and the second vector.
        vacuum_A: empty height between a face and the next image's, in Å.
        fixed_layers: number of planes to hold, from the bottom; None: the substrate's own, or with another n_layers
            the same share of them, rounded down.

    Raises:
        InputError: if there is none of that name, naming the nearest; or as `build_surface`.
    """
    if name not in SUBSTRATES:
        near = difflib.get_close_matches(name, SUBSTRATES, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise InputError(f"There is no built-in substrate {name!r}, needs one of {', '.join(SUBSTRATES)}.{hint}")
    entry = SUBSTRATES[name]
    layers = entry.n_layers if n_layers is None else n_layers
    if entry.crystal == "graphene" and layers != 1:
        raise InputError(f"n_layers is {layers}, needs 1: graphene is one sheet. Leave n_layers out.")
    held = layers * entry.fixed_layers // entry.n_layers if fixed_layers is None else fixed_layers
    return build_surface(
        build_crystal(entry.crystal),
        name=name,
        miller=entry.miller,
        n_layers=layers,
        repeats=repeats,
        vacuum_A=vacuum_A,
        fixed_layers=held,
        termination=entry.termination,
        source=entry.source,
    )


def build_crystal(name: str) -> Atoms:
    """Conventional cell of a crystal of the library: Li, TiN, Cu or graphene (sheets 10 Å apart)."""
    if name == "graphene":
        sites = [(0, 0, 0), (1 / 3, 2 / 3, 0)]
        return Atoms("C2", scaled_positions=sites, cell=[2.46, 2.46, 10, 90, 90, 120], pbc=True)
    kind, a_A = {"Li": ("bcc", 3.51), "TiN": ("rocksalt", 4.24), "Cu": ("fcc", 3.615)}[name]
    crystal: Atoms = bulk(name, kind, a=a_A, cubic=True)
    return crystal
