import numpy as np
import pytest

from analysis.ion_contacts import ContactTally, compute_contacts
from analysis.one_pass import add_frames
from analysis.sites import build_sites, find_surface
from analysis.surface_approach import SurfaceTally, compute_surface_approach
from structures.errors import InputError
from tests.analysis.electrolyte import build_system, draw_frames

FEW = {"n_anions": 20, "n_cations": 15}


def test_one_pass_gives_what_two_passes_give() -> None:
    universe = build_system(draw_frames(n_frames=5, seed=0, **FEW), **FEW)
    surface = find_surface(universe, electrode=np.arange(50))
    anions, cations = (build_sites(universe, species=name) for name in ("TFSI-", "Li+"))
    chosen = slice(1, None)
    tallies = (
        SurfaceTally(surface, sites=[*anions, *cations], r_max_A=9.0, n_frames=4),
        ContactTally(cations[0], binding=anions[2], surface=surface, n_frames=4),
    )
    add_frames(universe, tallies=tallies, frames=chosen)
    approach, contacts = tallies[0].summarise(), tallies[1].summarise()
    alone = compute_surface_approach(universe, surface=surface, sites=[*anions, *cations], r_max_A=9.0, frames=chosen)
    for label, rdf in alone.rdfs.items():
        np.testing.assert_array_equal(approach.rdfs[label].coordination, rdf.coordination)
    other = compute_contacts(universe, centres=cations[0], binding=anions[2], surface=surface, frames=chosen)
    np.testing.assert_array_equal(contacts.distances_A, other.distances_A)
    np.testing.assert_array_equal(contacts.time_ps, [0.5, 1.0, 1.5, 2.0])
    assert contacts.label == "Li+ Li, TFSI- O"


def test_frames_that_are_missing_or_have_no_cell_are_told() -> None:
    universe = build_system(draw_frames(n_frames=2, seed=0, **FEW), **FEW)
    cations = build_sites(universe, species="Li+")
    tally = ContactTally(cations[0], binding=cations[0], n_frames=3)
    add_frames(universe, tallies=[tally])
    with pytest.raises(InputError, match="2 frames were added, 3 were announced"):
        tally.summarise()
    universe.dimensions = None
    with pytest.raises(InputError, match="frame 0 has no cell"):
        add_frames(universe, tallies=[tally], frames=[0])
