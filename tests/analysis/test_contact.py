import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ase import Atoms
from MDAnalysis import Universe

from analysis.contact import (
    ContactCase,
    compute_contact_case,
    share_cutoffs,
)
from analysis.contact_answer import compare_contact_cases, describe_contact_case
from analysis.contact_geometry import build_contact_geometry
from analysis.tables import find_columns
from analysis.trajectory import build_universe
from structures.alloy import resolve_alloy
from structures.dislocation import DipoleGeometry, build_dislocation_dipole
from structures.errors import InputError
from structures.interface import ContactCell, build_contact_cell
from structures.metal import build_potassium

N_FRAMES = 10
SPEEDS_A = {"dislocation": 1.2, "control": 0.2}


@cache
def build_cells() -> dict[str, ContactCell]:
    dipole = build_dislocation_dipole(resolve_alloy("M-BiSnSb"), repeats=(12, 4, 3), seed=0)

    def build(alloy: Atoms, geometry: DipoleGeometry | None) -> ContactCell:
        return build_contact_cell(
            alloy, metal=build_potassium(), metal_thickness_A=12.0, vacuum_A=12.0, max_strain=0.1, geometry=geometry
        )

    return {"dislocation": build(dipole.defective, dipole.geometry), "control": build(dipole.perfect, None)}


def build_run(name: str, *, seed: int, n_frames: int = N_FRAMES) -> Universe:
    """Thermal noise, and the metal over the lines going down at a steady speed."""
    cell = build_cells()[name]
    lines = np.array(build_cells()["dislocation"].core_positions_A)
    atoms = cell.atoms
    rng = np.random.default_rng(seed)
    metal = np.flatnonzero(atoms.arrays["region"] == "potassium")
    lowest = metal[np.argsort(atoms.positions[metal, 2])[:10]]
    start = atoms.positions.copy()
    start[lowest, :2] = lines[np.arange(10) % len(lines)] + rng.uniform(-1, 1, (10, 2))
    start[lowest, 2] = cell.interface_z_A
    frames = np.tile(start, (n_frames, 1, 1)) + rng.normal(0, 0.05, (n_frames, len(atoms), 3))
    speed = SPEEDS_A[name] * (1 + 0.05 * rng.normal())
    frames[:, lowest, 2] -= speed * np.arange(n_frames)[:, None] * (N_FRAMES / n_frames)
    universe = build_universe(atoms)
    dimensions = np.tile(universe.dimensions, (n_frames, 1))
    return universe.load_new(frames.astype(np.float32), order="fac", dimensions=dimensions, dt=1.0)


@cache
def analyse(name: str, n_replicas: int = 2) -> ContactCase:
    cells = build_cells()
    lines = cells["dislocation"].core_positions_A
    return compute_contact_case(
        [build_run(name, seed=seed) for seed in range(n_replicas)],
        label=name,
        geometry=build_contact_geometry(cells[name], lines_A=lines),
        dislocation=cells[name].geometry,
        reference_A=cells[name].atoms.positions,
        built_A=cells[name].atoms.positions,
    )


def test_planted_penetration_comes_out_of_the_whole_case() -> None:
    case = analyse("dislocation")
    finals = case.penetration.by_region["core"].final_A
    assert finals == pytest.approx([SPEEDS_A["dislocation"] * (N_FRAMES - 1)] * 2, rel=0.25)
    assert np.all(case.penetration.by_region["crystal"].final_A < 1)
    assert case.core is not None
    assert case.core.verdict == "stays"
    assert analyse("control").core is None


def test_case_has_the_keys_of_results_and_is_json() -> None:
    values = analyse("dislocation").to_json()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert set(values) == {
        "label", "replicas", "penetration", "rdf", "msd", "density_map", "core", "thermodynamics", "guard",
        "energy_released", "interface", "normalisation",
    }  # fmt: skip
    assert {(d["pair"], d["region"]) for d in values["rdf"]} == {
        (f"K-{element}", region)
        for element in ("Bi", "K", "Sb", "Sn")
        for region in ("all", "interface", "core", "crystal")
    }
    assert values["interface"]["n_near"] > 50
    assert abs(values["interface"]["rise_end_A"]) < 0.05
    assert values["msd"]["verdict"] == "no diffusion coefficient: reacting front"
    assert len(values["core"]["positions_A"][0]) == 2


def test_every_atom_and_every_frame_of_the_second_half_is_counted() -> None:
    cell = build_cells()["control"]
    n_potassium = int((cell.atoms.arrays["region"] == "potassium").sum())
    case = compute_contact_case(
        [build_run("control", seed=1, n_frames=60)], label="control", geometry=build_contact_geometry(cell)
    )
    (whole,) = [part for part in case.rdf if (part.pair, part.region) == ("K-K", "all")]
    assert (whole.n_centres, whole.n_frames) == (n_potassium, 30)


def test_contrast_of_two_cases_is_that_of_the_core_columns() -> None:
    found = compare_contact_cases(analyse("dislocation"), control=analyse("control"), temperature_K=300)
    assert found.difference.value == pytest.approx(1.0 * (N_FRAMES - 1), rel=0.25)
    assert not found.resolved
    assert found.sentence.startswith("The depth of potassium in the core columns grew by ")
    assert ", elsewhere in the same run by " in found.sentence
    assert " and in the same columns of the control by " in found.sentence
    assert found.to_json()["region"] == "core columns"
    assert "(2 replicas, 300 K)" in found.sentence
    assert found.place is not None
    assert found.place.place_share < 0.05
    assert "; columns put elsewhere give " in found.sentence
    sensitivity = found.to_json()["sensitivity"]
    own = sensitivity["is_configured"].index(True)
    assert sensitivity["difference_A"][own] == pytest.approx(found.difference.value, abs=0.011)
    ((name, columns),) = find_columns({"contrast": found.to_json()})
    assert name == "contrast_sensitivity"
    assert len(columns["difference_A"]) == len(columns["core_radius_A"])


def test_unclear_cores_are_named_in_the_sentence() -> None:
    case = analyse("dislocation")
    assert case.core is not None
    lost = replace(case, core=replace(case.core, verdict="unclear"))
    found = compare_contact_cases(lost, control=analyse("control"), temperature_K=300, doubts=("it melted",))
    assert found.sentence.endswith("Not a result about dislocations: it melted.")
    assert "(2 replicas, 300 K; the cores were not tracked)" in found.sentence


def test_both_cases_count_within_one_cutoff_a_pair() -> None:
    cases = share_cutoffs({name: analyse(name) for name in ("dislocation", "control")})
    for pair in ("K-Bi", "K-K"):
        parts = [part for case in cases.values() for part in case.rdf if part.pair == pair]
        assert len(parts) == 8
        assert len({part.cutoff_A for part in parts}) == len({part.cutoff_source for part in parts}) == 1
        assert [part.coordination_number is not None for part in parts] == [
            part.cutoff_A is not None and bool(np.isfinite(part.g).any()) for part in parts
        ]


def test_a_case_alone_says_depth_time_temperature_and_replicas() -> None:
    case = analyse("control")
    gain = case.penetration.to_json()["gain"]
    assert describe_contact_case(case, temperature_K=50) == (
        f"The depth of potassium grew by {gain['value']:.2f} ± {gain['uncertainty']:.2f} Å (control, all K) within "
        f"{case.penetration.time_ps[-1]:.4g} ps from the relaxed cell on (2 replicas, 50 K). "
        "Not resolved: fewer than 5 replicas."
    )
    doubted = describe_contact_case(case, temperature_K=50, scope="for this decoration", doubts=("it melted",))
    assert "on, for this decoration (2 replicas, 50 K). Not a depth in the crystal: it melted." in doubted
    assert "replicas." not in doubted


def test_case_without_replicas_is_refused() -> None:
    with pytest.raises(InputError, match="case none has no replicas"):
        compute_contact_case([], label="none", geometry=build_contact_geometry(build_cells()["control"]))
