"""The built-in species: what they are, their charge and spin, and where their geometry is from.

A bracket in a name tells a conformer or a spin state: `TFSI-(cis)`, `MIL-node(hs)`. Without one, TFSI⁻ is transoid
(10.1021/jp0612477) and the node has one iron against two (10.1002/anie.202514014), which are the lower in energy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ase import Atoms

from structures.iron_node import build_iron_node
from structures.phthalocyanine import build_cobalt_phthalocyanine, build_phthalocyanine_pair

ElementMoments = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class BuiltIn:
    """A built-in species; its geometry is an atom, a shipped file, or built from bond lengths.

    Attributes:
        charge: in e.
        multiplicity: 2 S + 1.
        meaning: in words.
        file: in `molecules/`.
        element: of an atom.
        build: makes the geometry.
        moments: name of an arrangement → element → moment of each of its atoms in their order, in μB.
    """

    charge: int
    multiplicity: int
    meaning: str
    file: str = ""
    element: str = ""
    build: Callable[[], Atoms] | None = None
    moments: Mapping[str, ElementMoments] = field(default_factory=dict)


_TFSI = "bis(trifluoromethanesulfonyl)imide"
_SALT: dict[str, BuiltIn] = {
    "Li+": BuiltIn(1, 1, "lithium ion", element="Li"),
    "Li": BuiltIn(0, 2, "lithium atom", element="Li"),
    "F-": BuiltIn(-1, 1, "fluoride", element="F"),
    "TFSI-": BuiltIn(-1, 1, f"{_TFSI}, transoid (C2) conformer", file="tfsi-transoid.xyz"),
    "TFSI": BuiltIn(0, 2, f"radical of {_TFSI}, at the geometry of the transoid anion", file="tfsi-transoid.xyz"),
    "LiTFSI": BuiltIn(0, 1, f"lithium {_TFSI}, Li held by two oxygens of the transoid anion", file="litfsi.xyz"),
    "TFSI-(cis)": BuiltIn(-1, 1, f"{_TFSI}, cisoid (C1) conformer", file="tfsi-cisoid.xyz"),
}
_FRAGMENTS: dict[str, BuiltIn] = {
    "SO2CF3-": BuiltIn(-1, 1, "triflinate: TFSI- + e- -> SO2CF3- + NSO2CF3-", file="so2cf3-anion.xyz"),
    "NSO2CF3-": BuiltIn(
        -1, 2, "radical anion, what triflinate leaves: TFSI- + e- -> SO2CF3- + NSO2CF3-", file="nso2cf3-anion.xyz"
    ),
    "NSO2CF3": BuiltIn(0, 3, "trifluoromethanesulfonyl nitrene, triplet: NSO2CF3 + e- -> NSO2CF3-", file="nso2cf3.xyz"),
    "SO2CF3": BuiltIn(0, 2, "trifluoromethanesulfonyl radical: TFSI- -> SO2CF3 + NSO2CF3-", file="so2cf3.xyz"),
    "SO2": BuiltIn(0, 1, "sulfur dioxide: SO2CF3- -> SO2 + CF3-", file="so2.xyz"),
    "SO2-": BuiltIn(-1, 2, "radical anion of sulfur dioxide: SO2CF3- + e- -> SO2- + CF3-", file="so2-anion.xyz"),
    "CF3-": BuiltIn(-1, 1, "trifluoromethyl anion", file="cf3-anion.xyz"),
    "CF3": BuiltIn(0, 2, "trifluoromethyl radical", file="cf3.xyz"),
    "CF2": BuiltIn(0, 1, "difluorocarbene, singlet: CF3- -> CF2 + F-", file="cf2.xyz"),
    "CF2-": BuiltIn(-1, 2, "radical anion of difluorocarbene: CF3- + e- -> CF2- + F-", file="cf2-anion.xyz"),
    "F": BuiltIn(0, 2, "fluorine atom", element="F"),
    "LiF": BuiltIn(0, 1, "lithium fluoride, one molecule", file="lif.xyz"),
    "CO": BuiltIn(0, 1, "carbon monoxide", file="co.xyz"),
}

_COPC = "cobalt(II) phthalocyanine, D4h, from measured bond lengths, not relaxed"
_PAIR = "two molecules of CoPc 3.4 Å apart, slipped as in the β crystal, not relaxed"
_PHTHALOCYANINES: dict[str, BuiltIn] = {
    "CoPc": BuiltIn(0, 2, _COPC, build=build_cobalt_phthalocyanine, moments={"cobalt": {"Co": (1,)}}),
    "CoPc-": BuiltIn(
        -1, 1, "anion of CoPc with cobalt(I), closed shell, at the geometry of CoPc", build=build_cobalt_phthalocyanine
    ),
    "CoPc2": BuiltIn(0, 3, f"{_PAIR}; triplet", build=build_phthalocyanine_pair, moments={"parallel": {"Co": (1, 1)}}),
    "CoPc2(bs)": BuiltIn(
        0,
        1,
        f"{_PAIR}; broken-symmetry singlet",
        build=build_phthalocyanine_pair,
        moments={"antiparallel": {"Co": (1, -1)}},
    ),
}

# In order of the irons: with hydroxide, with water, open.
_ONE_DOWN: Mapping[str, ElementMoments] = {
    "up-up-down": {"Fe": (5, 5, -5)},
    "up-down-up": {"Fe": (5, -5, 5)},
    "down-up-up": {"Fe": (-5, 5, 5)},
}
_ALL_UP: Mapping[str, ElementMoments] = {"ferromagnetic": {"Fe": (5, 5, 5)}}
_IN_CORE: Mapping[str, ElementMoments] = {"up-up-down": {"Fe": (5, 5, -5)}}  # the three irons are alike
_NODE = "node of MIL-101(Fe) with HCOO- in place of the linkers"
_SITES = "irons with OH-, with H2O and open, not relaxed"
_SEXTET = "one iron against two (5 unpaired)"
_HIGH_SPIN = "ferromagnetic (15 unpaired)"
_build_neutral = partial(build_iron_node, terminals=("OH", "H2O", ""))
_build_bare = partial(build_iron_node, residue="H", terminals=("", "", ""))
_NODES: dict[str, BuiltIn] = {
    "MIL-node": BuiltIn(
        0,
        6,
        f"{_NODE}, [Fe3O(HCOO)6(OH)(H2O)]: {_SITES}; {_SEXTET}",
        build=partial(_build_neutral, residue="H"),
        moments=_ONE_DOWN,
    ),
    "MIL-node(hs)": BuiltIn(
        0, 16, f"MIL-node, {_HIGH_SPIN}", build=partial(_build_neutral, residue="H"), moments=_ALL_UP
    ),
    "MIL-node+": BuiltIn(
        1,
        6,
        f"{_NODE}, [Fe3O(HCOO)6]+: three open irons, D3h, not relaxed; {_SEXTET}",
        build=_build_bare,
        moments=_IN_CORE,
    ),
    "MIL-node(hs)+": BuiltIn(1, 16, f"MIL-node+, {_HIGH_SPIN}", build=_build_bare, moments=_ALL_UP),
    "NH2-MIL-node": BuiltIn(
        0,
        6,
        f"node of NH2-MIL-101(Fe) with 2-aminobenzoates for the linkers, 105 atoms: {_SITES}; {_SEXTET}",
        build=partial(_build_neutral, residue="C6H4NH2"),
        moments=_ONE_DOWN,
    ),
    "NH2-MIL-node(hs)": BuiltIn(
        0, 16, f"NH2-MIL-node, {_HIGH_SPIN}", build=partial(_build_neutral, residue="C6H4NH2"), moments=_ALL_UP
    ),
}

_POLYMER: dict[str, BuiltIn] = {
    "VDF-HFP": BuiltIn(
        0,
        1,
        "oligomer of PVDF-HFP, H-(CH2CF2)2-CF2CF(CF3)-CH2CF2-H, a force-field conformer, not relaxed",
        file="vdf-hfp.xyz",
    ),
}

LIBRARY: dict[str, BuiltIn] = _SALT | _FRAGMENTS | _PHTHALOCYANINES | _NODES | _POLYMER


def spread_moments(atoms: Atoms, *, moments: ElementMoments) -> tuple[float, ...]:
    """Moment of each atom, in μB, shape (n_atoms,); zero for elements that are not named."""
    left = {element: iter(values) for element, values in moments.items()}
    return tuple(float(next(left[symbol])) if symbol in left else 0.0 for symbol in atoms.symbols)
