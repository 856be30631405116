import warnings
from importlib import import_module
from itertools import pairwise
from math import inf, log

import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe
from MDAnalysis.analysis.hydrogenbonds import HydrogenBondAnalysis
from MDAnalysis.lib.distances import distance_array
from numpy.typing import NDArray

from analysis.ion_association import compute_association
from analysis.ion_contacts import Contacts, compute_contacts
from analysis.layer_contacts import average_layer_contacts, compute_hydrogen_bonds, count_contacts, find_donors
from analysis.rdf import PairTally, summarise_pairs
from analysis.residence import compute_residence
from analysis.sites import build_sites, find_surface
from analysis.trajectory import build_universe
from structures.errors import InputError
from tests.analysis.electrolyte import ANION, build_system, draw_frames

N_ANIONS, N_CATIONS = 30, 25
FEW = {"n_anions": N_ANIONS, "n_cations": N_CATIONS}
BOX = np.array([26, 25.49510, 40, 90, 90, 78.690068], dtype=np.float32)


def measure(universe: Universe, **options: float) -> Contacts:
    centres, binding = (
        build_sites(universe, species=species, names=[name])[0] for species, name in (("Li+", "Li"), ("TFSI-", "O"))
    )
    return compute_contacts(universe, centres=centres, binding=binding, **{"longest_A": 4.0, **options})  # type: ignore[arg-type]


def build_contacts(there: NDArray[np.bool_], *, step_ps: float = 1.0) -> Contacts:
    """Contacts of one anion with each of some cations: shape (n_frames, n_cations)."""
    frames, centres = np.nonzero(there)
    rdf = summarise_pairs(PairTally(1, 50), pair=("Li", "O"), region="cell", edges_A=np.linspace(0, 5, 51), n_frames=1)
    return Contacts(
        "Li+ Li, TFSI- O", rdf, np.arange(len(there), dtype=np.float64) * step_ps, frames.astype(np.int32),
        centres.astype(np.int32), np.zeros(frames.size, dtype=np.int32),
        np.full(frames.size, 2.0, dtype=np.float32), there.shape[1], 1, 4.0,
    )  # fmt: skip


# Contacts


def test_contacts_are_those_of_a_naive_loop() -> None:
    frames = draw_frames(n_frames=3, seed=1, **FEW)
    universe = build_system(frames, **FEW)
    found = measure(universe)
    oxygen = np.flatnonzero(np.tile(ANION.numbers == 8, N_ANIONS)) + 50
    for number, (frame, (cations, anions)) in enumerate(zip(frames, found.iterate(), strict=True)):
        reach = distance_array(frame[-N_CATIONS:].astype(np.float32), frame[oxygen].astype(np.float32), box=BOX)
        nearest = reach.reshape(N_CATIONS, N_ANIONS, 4).min(axis=2)
        expected = np.argwhere(nearest < 4.0)
        assert np.column_stack([cations, anions]).tolist() == expected.tolist()
        distances = found.distances_A[found.frames == number]
        np.testing.assert_allclose(distances, nearest[tuple(expected.T)], atol=1e-3)
    assert (found.n_centres, found.n_molecules, found.time_ps.tolist()) == (N_CATIONS, N_ANIONS, [0, 0.5, 1.0])


def test_numbers_are_those_of_solvation_analysis() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solute_class = import_module("solvation_analysis.solute").Solute
        universe = build_system(draw_frames(n_frames=4, seed=2, **FEW), **FEW)
        cations, anions = (universe.select_atoms(f"resname {name}") for name in ("Li+", "TFSI-"))
        oxygens = anions.select_atoms("element O")
        solute = solute_class.from_atoms(cations, {"TFSI": oxygens}, radii={"TFSI": 4.0}, skip_rdf=True)
        solute.run()
        # Of one anion it keeps the nearest atom: anions a cation.
        theirs = solute.coordination.coordination_numbers["TFSI"]
        paired = solute.pairing.solvent_pairing["TFSI"]
    association = compute_association([measure(universe)], cutoff_A=4.0)
    assert association.anions_per_cation.value == pytest.approx(theirs, rel=1e-6)
    assert 1 - association.cations["free"].value == pytest.approx(paired, rel=1e-6)


def test_gas_in_the_slab_has_g_of_one_which_the_cell_does_not_give() -> None:
    few = {"n_anions": 40, "n_cations": 100}
    universe = build_system(draw_frames(n_frames=150, seed=3, **few), **few)
    surface = find_surface(universe, electrode=np.arange(50))
    centres = build_sites(universe, species="Li+")[0]
    binding = build_sites(universe, species="TFSI-", names=["N"])[0]
    r_max_A = 12.0
    slab = compute_contacts(universe, centres=centres, binding=binding, surface=surface, r_max_A=r_max_A, bin_A=0.5)
    cell = compute_contacts(universe, centres=centres, binding=binding, r_max_A=r_max_A, bin_A=0.5)
    far = slab.rdf.r_A > 2.5
    np.testing.assert_allclose(slab.rdf.g[far], 1.0, atol=0.07)
    assert slab.rdf.g[far].mean() == pytest.approx(1.0, abs=0.01)
    # In the whole cell the density of the same ions is lower by 38/40.
    assert cell.rdf.g[(cell.rdf.r_A > 2.5) & (cell.rdf.r_A < 5)].mean() > 1.02
    np.testing.assert_array_equal(cell.rdf.coordination, slab.rdf.coordination)


# Populations


def test_planted_pairs_and_aggregates_are_counted() -> None:
    frame = draw_frames(n_frames=1, n_anions=4, n_cations=5, seed=0)[0]
    places = np.array([[4, 4, 10], [12, 4, 10], [4, 12, 20], [12, 12, 30]], dtype=float)
    frame[50:78] = (ANION.positions + places[:, None]).reshape(-1, 3)
    # A pair; an anion with two cations; one free cation beside an anion with another one: 2.5 Å from O.
    frame[78:] = places[[0, 1, 1, 2, 3]] + [[1, 3.4, 1], [1, 3.4, 1], [-1, 3.4, -1], [1, 3.4, 1], [10, 8, 0]]
    association = compute_association([measure(build_system([frame], n_anions=4, n_cations=5))], cutoff_A=2.6)
    assert {kind: share.value for kind, share in association.cations.items()} == pytest.approx(
        {"free": 1 / 5, "contact_pair": 2 / 5, "aggregate": 2 / 5}, rel=1e-12
    )
    assert {kind: share.value for kind, share in association.anions.items()} == pytest.approx(
        {"free": 1 / 4, "contact_pair": 2 / 4, "aggregate": 1 / 4}, rel=1e-12
    )
    assert association.anions_per_cation.value == pytest.approx(4 / 5, rel=1e-12)
    np.testing.assert_allclose(association.distribution, [1 / 5, 4 / 5])
    assert association.cluster_size.value == pytest.approx((1 + 1 + 4 * 2 + 3 * 3) / 9, rel=1e-12)
    assert association.largest_share.value == pytest.approx(3 / 9, rel=1e-12)
    assert association.cations["free"].uncertainty is None


def test_shares_add_to_one_and_replicas_give_an_interval() -> None:
    runs = [measure(build_system(draw_frames(n_frames=4, seed=seed, **FEW), **FEW)) for seed in (4, 5, 6)]
    association = compute_association(runs, cutoff_A=3.5)
    for shares in (association.cations, association.anions):
        assert sum(share.value for share in shares.values()) == pytest.approx(1, rel=1e-12)
    assert association.cations["free"].n_independent == 3
    assert association.cations["free"].uncertainty is not None
    assert association.distribution.sum() == pytest.approx(1, rel=1e-12)
    mean = association.distribution @ np.arange(association.distribution.size)
    assert association.anions_per_cation.value == pytest.approx(mean, rel=1e-12)


# Residence


def run_chain(*, p_end: float, p_begin: float, n_frames: int, n_pairs: int, seed: int) -> NDArray[np.bool_]:
    """Contacts that end and begin at constant rates."""
    rng = np.random.default_rng(seed)
    there = np.empty((n_frames, n_pairs), dtype=bool)
    there[0] = rng.uniform(size=n_pairs) < p_begin / (p_begin + p_end)
    for before, number in pairwise(range(n_frames)):
        draw = rng.uniform(size=n_pairs)
        there[number] = np.where(there[before], draw >= p_end, draw < p_begin)
    return there


def test_constant_rate_gives_its_residence_time_also_when_it_outlasts_the_trajectory() -> None:
    for p_end, n_frames in ((0.05, 400), (0.002, 100)):
        there = run_chain(p_end=p_end, p_begin=0.05, n_frames=n_frames, n_pairs=200, seed=1)
        found = compute_residence([build_contacts(there, step_ps=0.5)], cutoff_A=3.0)
        expected = -0.5 / log(1 - p_end)
        time = found.residence_time
        assert time.low is not None
        assert time.high is not None
        assert time.low < expected < time.high
        assert time.value == pytest.approx(expected, rel=4 / np.sqrt(found.n_ended))
        np.testing.assert_allclose(found.continuous, (1 - p_end) ** np.arange(n_frames // 2), atol=0.04)
        if p_end > 0.01:
            assert found.integrated_ps == pytest.approx(expected * 0.95, rel=0.05)
        else:
            assert found.integrated_ps is None
    # Two states relax at the sum of their rates to the share of time in contact.
    there = run_chain(p_end=0.05, p_begin=0.05, n_frames=400, n_pairs=200, seed=2)
    found = compute_residence([build_contacts(there)], cutoff_A=3.0)
    np.testing.assert_allclose(found.intermittent, 0.5 + 0.5 * 0.9 ** np.arange(200), atol=0.03)


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_survival_is_that_of_a_naive_loop(allowed: int) -> None:
    there = run_chain(p_end=0.3, p_begin=0.2, n_frames=40, n_pairs=12, seed=3)
    found = compute_residence([build_contacts(there, step_ps=2.0)], cutoff_A=3.0, tolerance_ps=2.0 * allowed)
    filled = there.copy()
    for pair in filled.T:
        known = np.flatnonzero(pair)
        for first, last in pairwise(known):
            if last - first <= allowed + 1:
                pair[first:last] = True
    ended = at_risk = 0
    for pair in filled.T:
        for t in range(40 - 1 - allowed):
            at_risk += int(pair[t])
            ended += int(pair[t] and not pair[t + 1])
    assert found.n_ended == ended
    assert found.residence_time.value == pytest.approx(-2.0 / log(1 - ended / at_risk), rel=1e-12)
    for lag in range(20):
        origins = [(t, pair) for pair in filled.T for t in range(40 - lag) if pair[t]]
        kept = np.mean([pair[t : t + lag + 1].all() for t, pair in origins])
        assert found.continuous[lag] == pytest.approx(kept, rel=1e-12)
        again = [pair[t + lag] for pair in there.T for t in range(40 - lag) if pair[t]]
        assert found.intermittent[lag] == pytest.approx(np.mean(again), rel=1e-9)


def test_contacts_that_never_end_give_a_lower_bound() -> None:
    found = compute_residence([build_contacts(np.ones((50, 8), dtype=bool))], cutoff_A=3.0)
    time = found.residence_time
    assert time.value == inf
    # (1 − p)^n = 2.5 % of none ending in 392 frames at risk.
    assert time.low == pytest.approx(-1 / log(0.025 ** (1 / 392)), rel=1e-6)
    assert time.high is None
    assert time.verdict.startswith("0 contacts ended, needs 5: longer than 106 ps")
    assert found.to_json()["residence_time_ps"]["value"] is None
    np.testing.assert_array_equal(found.continuous, np.ones(25))


def test_replicas_give_the_interval_of_the_residence_time() -> None:
    runs = [build_contacts(run_chain(p_end=0.1, p_begin=0.1, n_frames=200, n_pairs=50, seed=seed)) for seed in range(6)]
    found = compute_residence(runs, cutoff_A=3.0)
    assert found.residence_time.n_independent == 6
    assert found.residence_time.value == pytest.approx(-1 / log(0.9), rel=0.05)
    assert (found.continuous_low[1:20] < 0.9 ** np.arange(1, 20)).all()
    assert (found.continuous_high[1:20] > 0.9 ** np.arange(1, 20)).all()


# Layer


def test_hydrogen_bonds_are_those_of_mdanalysis() -> None:
    rng = np.random.default_rng(11)
    n_donors, n_anions = 12, 30
    nitrogen = rng.uniform(0, 14, (n_donors, 3))
    turns = rng.normal(size=(n_donors, 3))
    hydrogen = nitrogen + turns / np.linalg.norm(turns, axis=1)[:, None]
    oxygen = rng.uniform(0, 14, (n_anions, 2, 3))
    atoms = Atoms(
        f"N{n_donors}H{n_donors}O{2 * n_anions}", positions=np.concatenate([nitrogen, hydrogen, oxygen.reshape(-1, 3)]),
        cell=np.eye(3) * 14, pbc=True,
    )  # fmt: skip
    n_layer = 2 * n_donors
    atoms.arrays["molecule"] = np.concatenate([np.zeros(n_layer, dtype=int), np.repeat(np.arange(n_anions) + 1, 2)])
    atoms.arrays["species"] = np.array(["layer"] * n_layer + ["anion"] * 2 * n_anions)
    universe = build_universe(atoms)
    donors = find_donors(universe, atoms=np.arange(n_layer))
    assert [n_donors + n for n in range(n_donors) if [n, n_donors + n] not in donors.tolist()] == []
    own = donors[donors[:, 1] == donors[:, 0] + n_donors]
    acceptors = build_sites(universe, species="anion", centre=False)[0]
    found = compute_hydrogen_bonds(universe, donors=own, acceptors=acceptors, angle_deg=90)
    theirs = HydrogenBondAnalysis(
        universe, donors_sel="element N", hydrogens_sel="element H", acceptors_sel="element O", d_a_cutoff=3.5,
        d_h_a_angle_cutoff=90, d_h_cutoff=1.2,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.run()
    bonds = theirs.results.hbonds
    bonds = bonds[bonds[:, 2] == bonds[:, 1] + n_donors]
    assert found.n_contacts.tolist() == [len(bonds)]
    assert len(bonds) > 5
    assert found.n_molecules.tolist() == [np.unique((bonds[:, 3] - n_layer) // 2).size]
    assert average_layer_contacts([found]).n_contacts.value == len(bonds)


def test_straight_bond_counts_and_a_bent_or_long_one_does_not() -> None:
    for angle_deg, distance_A, expected in (
        (180, 2.9, 1),
        (151, 2.9, 1),
        (149, 2.9, 0),
        (180, 3.49, 1),
        (180, 3.51, 0),
    ):
        # H 1 Å from N at the origin; O so far from N, at such an angle at H.
        bend = np.radians(angle_deg)
        reach = np.cos(bend) + np.sqrt(distance_A**2 - np.sin(bend) ** 2)
        oxygen = [1 - reach * np.cos(bend), reach * np.sin(bend), 0]
        atoms = Atoms("NHO", positions=[[0, 0, 0], [1, 0, 0], oxygen], cell=np.eye(3) * 20, pbc=True)
        atoms.arrays["molecule"] = np.array([0, 0, 1])
        atoms.arrays["species"] = np.array(["layer", "layer", "anion"])
        universe = build_universe(atoms)
        donors = find_donors(universe, atoms=[0, 1])
        acceptors = build_sites(universe, species="anion")[0]
        assert compute_hydrogen_bonds(universe, donors=donors, acceptors=acceptors).n_contacts.tolist() == [expected]


def test_metal_contacts_count_pairs_and_molecules() -> None:
    contacts = build_contacts(np.array([[True, True, False], [False, False, False], [True, False, False]]))
    found = count_contacts(contacts, cutoff_A=2.5)
    assert found.n_contacts.tolist() == [2, 0, 1]
    assert found.n_molecules.tolist() == [1, 0, 1]


# Bad input


def test_what_does_not_fit_is_refused_with_its_value() -> None:
    universe = build_system(draw_frames(n_frames=2, seed=0, **FEW), **FEW)
    contacts = measure(universe)
    with pytest.raises(InputError, match=r"cutoff_A is 5, needs 0 < cutoff_A <= 4\.0 Å"):
        compute_association([contacts], cutoff_A=5)
    with pytest.raises(InputError, match="2 frames; survival needs 4 at equal times"):
        compute_residence([contacts], cutoff_A=3)
    with pytest.raises(InputError, match=r"no contact of Li\+ Li, TFSI- O within 3 Å"):
        compute_residence([build_contacts(np.zeros((5, 2), dtype=bool))], cutoff_A=3)
    with pytest.raises(InputError, match=r"contacts up to 9\.0 Å and radius 8\.0 Å"):
        measure(universe, longest_A=9.0)
    oxygen = build_sites(universe, species="TFSI-", names=["O"])[0]
    with pytest.raises(InputError, match="0 donors, 2 frames"):
        compute_hydrogen_bonds(universe, donors=np.empty((0, 2), dtype=np.int64), acceptors=oxygen)
