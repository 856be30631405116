"""Atoms chosen by words in anybody's trajectory: how they are spread about each other, and about a surface."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe
from MDAnalysis.exceptions import NoDataError, SelectionError
from numpy.typing import NDArray

from analysis.ion_contacts import Contacts, compute_contacts
from analysis.rdf import RadialDistribution, count_within
from analysis.residence import Residence, compute_residence
from analysis.sites import Site, find_surface
from analysis.surface_approach import SurfaceApproach, compute_surface_approach
from analysis.uncertainty import to_list
from structures.errors import InputError

_MOST_CONTACTS = 2e7
_MIN_SURVIVAL_FRAMES = 4
_NAMES_SHOWN = 12


@dataclass(frozen=True, eq=False)
class SelectionAnalysis:
    """What two selections of atoms do about each other.

    Attributes:
        first: selection of the centres.
        second: selection of their neighbours.
        rdf: distribution of the second about the first, with the coordination number within the cut-off.
        shares: share of centres with 0, 1, 2 … neighbours within the cut-off; empty without a cut-off.
        time_ps: of the frames, in ps.
        n_contacts: pairs within the cut-off in each frame.
        residence: how long these contacts last; None if that was not measured.
        without_residence: why not.
        surface: what both do at a surface; None if none was asked for.
    """

    first: str
    second: str
    rdf: RadialDistribution
    shares: NDArray[np.float64]
    time_ps: NDArray[np.float64]
    n_contacts: NDArray[np.int64]
    residence: Residence | None
    without_residence: str
    surface: SurfaceApproach | None

    @property
    def sentence(self) -> str:
        """What was found about the two selections, in words."""
        rdf, number = self.rdf, self.rdf.coordination_number
        peak = "g(r) has no peak that stands out"
        if rdf.first_peak_A is not None:
            peak = f"g(r) has its first peak at {rdf.first_peak_A:.2f} Å"
        start = f'"{self.second}" about "{self.first}": {peak}'
        if number is None or rdf.cutoff_A is None:
            return f"{start}; no coordination number, {rdf.cutoff_source}."
        error = "" if number.uncertainty is None else f" ± {number.uncertainty:.3g}"
        found = f"{start}; {number.value:.3g}{error} within {rdf.cutoff_A:.2f} Å ({rdf.cutoff_source})."
        return found if number.uncertainty is not None else f"{found} {number.verdict.capitalize()}."

    def to_json(self) -> dict[str, Any]:
        """The analysis as JSON values."""
        return {
            "first": self.first,
            "second": self.second,
            "rdf": self.rdf.to_json(),
            "coordination_shares": {"neighbours": list(range(self.shares.size)), "share": to_list(self.shares)},
            "contacts": {"time_ps": to_list(self.time_ps), "n_contacts": self.n_contacts.tolist()},
            "residence": self.without_residence if self.residence is None else self.residence.to_json(),
            "surface": None if self.surface is None else self.surface.to_json(),
        }


def select_site(universe: Universe, *, selection: str) -> Site:
    """Atoms chosen in MDAnalysis' language, each on its own.

    Raises:
        InputError: if the selection cannot be read, or matches nothing.
    """
    try:
        group = universe.select_atoms(selection)
    except (SelectionError, NoDataError, AttributeError, ValueError) as error:
        raise InputError(
            f'selection "{selection}" cannot be read ({error}); {describe_atoms(universe)}. Write it e.g. as '
            "'resname TFSI and name O*', see docs.mdanalysis.org"
        ) from error
    if group.n_atoms == 0:
        raise InputError(
            f'selection "{selection}" matches 0 of {universe.atoms.n_atoms} atoms, needs at least 1; '
            f"{describe_atoms(universe)}"
        )
    masses = np.asarray(getattr(group, "masses", np.ones(group.n_atoms)), dtype=float)
    return Site(selection, selection, np.asarray(group.indices, dtype=np.int64)[:, None], np.array([masses.mean()]))


def describe_atoms(universe: Universe) -> str:
    """What can be selected: names of residues, types, names and elements that are there, with their numbers."""
    found = []
    for word, group, attribute in (
        ("resname", universe.residues, "resnames"),
        ("segid", universe.segments, "segids"),
        ("name", universe.atoms, "names"),
        ("type", universe.atoms, "types"),
        ("element", universe.atoms, "elements"),
    ):
        counts = Counter(str(name) for name in getattr(group, attribute, ()))
        if any(name.strip() for name in counts):
            shown = [f"{name} ({n})" for name, n in counts.most_common(_NAMES_SHOWN)]
            more = f" and {len(counts) - _NAMES_SHOWN} more" if len(counts) > _NAMES_SHOWN else ""
            found.append(f"{word} {', '.join(shown)}{more}")
    return f"there are: {'; '.join(found)}" if found else "its atoms have no names or types, only index"


def analyse_selections(
    universe: Universe,
    *,
    first: str,
    second: str,
    surface: str | None = None,
    r_max_A: float = 10.0,
    bin_A: float = 0.05,
    cutoff_A: float | None = None,
    accessible_A: float | None = None,
    frames: slice | Sequence[int] | None = None,
) -> SelectionAnalysis:
    """Radial distribution, coordination, contacts and lifetimes of two selections, and both beside a surface.

    Args:
        universe: trajectory with cells.
        first: selection of the centres.
        second: selection of their neighbours; may be the same.
        surface: selection of an electrode that stands across z; None for none.
        r_max_A: largest distance, in Å.
        bin_A: width of a bin, in Å.
        cutoff_A: neighbours are nearer than this, in Å; None for the first minimum of g(r).
        accessible_A: thickness of what lies above the surface, in Å, if z is not periodic or has a vacuum; None for
            all between the faces of the electrode in a periodic cell.
        frames: which frames; None for all.

    Returns:
        The analysis.

    Raises:
        InputError: if a selection matches nothing, there is no cell, or a distance does not fit it.
    """
    centres, others = (select_site(universe, selection=one) for one in (first, second))
    whole = compute_contacts(
        universe, centres=centres, binding=others, r_max_A=r_max_A, bin_A=bin_A, longest_A=0, frames=frames
    )
    rdf = whole.rdf if cutoff_A is None else count_within(whole.rdf, cutoff_A=cutoff_A, source="as asked for")
    near = None
    number = rdf.coordination_number
    reason = f"no cut-off: {rdf.cutoff_source}" if rdf.cutoff_A is None or number is None else ""
    if rdf.cutoff_A is not None and number is not None:
        n_expected = number.value * whole.n_centres * whole.time_ps.size
        reason = f"about {n_expected:.1g} contacts are too many to follow, at most {_MOST_CONTACTS:.0g}"
        if n_expected <= _MOST_CONTACTS:
            near = compute_contacts(
                universe, centres=centres, binding=others, r_max_A=rdf.cutoff_A, bin_A=rdf.cutoff_A / 2,
                longest_A=rdf.cutoff_A, frames=frames,
            )  # fmt: skip
    residence, reason = (None, reason) if near is None else _follow(near)
    return SelectionAnalysis(
        first,
        second,
        rdf,
        np.empty(0) if near is None else _share_neighbours(near),
        whole.time_ps,
        np.empty(0, dtype=np.int64) if near is None else np.bincount(near.frames, minlength=near.time_ps.size),
        residence,
        reason,
        None
        if surface is None
        else _approach(
            universe, surface, sites=[centres] if first == second else [centres, others], accessible_A=accessible_A,
            r_max_A=r_max_A, bin_A=bin_A, frames=frames,
        ),
    )  # fmt: skip


def _share_neighbours(near: Contacts) -> NDArray[np.float64]:
    """Share of centres with 0, 1, 2 … neighbours, over all frames."""
    n_all = near.n_centres * near.time_ps.size
    found = np.bincount(near.frames.astype(np.int64) * near.n_centres + near.centres, minlength=n_all)
    return np.bincount(found) / n_all


def _follow(near: Contacts) -> tuple[Residence | None, str]:
    """How long contacts last, or why that cannot be said."""
    steps = np.diff(near.time_ps)
    if near.time_ps.size < _MIN_SURVIVAL_FRAMES or not near.frames.size:
        return None, f"{near.time_ps.size} frames with {near.frames.size} contacts, needs {_MIN_SURVIVAL_FRAMES} and 1"
    if steps.min() <= 0 or not np.allclose(steps, steps.mean(), rtol=1e-2):
        return None, f"frames are {steps.min():.3g} to {steps.max():.3g} ps apart, needs equal times"
    return compute_residence([near], cutoff_A=near.longest_A), ""


def _approach(
    universe: Universe, selection: str, *, sites: Sequence[Site], accessible_A: float | None, r_max_A: float,
    bin_A: float, frames: slice | Sequence[int] | None,
) -> SurfaceApproach:  # fmt: skip
    electrode = select_site(universe, selection=selection).atoms.ravel()
    is_open = accessible_A is not None
    surface = find_surface(
        universe, electrode=electrode, name=selection, both=not is_open, accessible_A=accessible_A,
        is_periodic=not is_open,
    )  # fmt: skip
    return compute_surface_approach(universe, surface=surface, sites=sites, r_max_A=r_max_A, bin_A=bin_A, frames=frames)
