"""Made-up observables of molecules at a surface for the tests of the report: shaped like physics, measured nowhere."""

import copy
from typing import Any

import numpy as np
from ase import Atoms

from analysis.report import ViewerCase, ViewerData
from analysis.report.viewer_data import find_drawn_bonds
from analysis.results import build_json_value
from structures.species import build_species

LABELS = {"bare": "bare electrode", "layer": "with the layer"}
PUBLISHED = {
    "source": "Zhen et al. 2025",
    "doi": "10.1039/d5ee01219h",
    "coordination_number": {"layer": 0.42, "bare": 0.13},
    "range_A": {"layer": [1.8, 4.0], "bare": [2.4, 8.0]},
    "note": "how they were counted the paper does not say",
}


def quantity(
    value: float, half: float | None, unit: str = "1", *, verdict: str = "mean over replicas"
) -> dict[str, Any]:
    ends = {"low": None, "high": None} if half is None else {"low": value - half, "high": value + half}
    return {"value": value, "uncertainty": half, **ends, "unit": unit, "n_independent": 5, "verdict": verdict}


def build_distribution(label: str, about: str, *, peak_A: float, n_replicas: int) -> dict[str, Any]:
    r = np.arange(0.05, 8.0, 0.1)
    g = 1 / (1 + np.exp(-5 * (r - peak_A))) + 2 * np.exp(-(((r - peak_A) / 0.3) ** 2))
    half = np.full(r.size, 0.1 if n_replicas > 1 else np.nan)
    return {
        "label": label,
        "about": about,
        "pair": "Li-O",
        "region": "slab above Li",
        "r_A": r,
        "g": g,
        "g_low": g - half,
        "g_high": g + half,
        "coordination": np.cumsum(0.02 * r**2 * g),
        "first_peak_A": peak_A,
        "cutoff_A": 3.1,
        "coordination_number": quantity(3.6, 0.2 if n_replicas > 1 else None),
    }


def build_profile(label: str, *, mass_u: float) -> dict[str, Any]:
    height = np.arange(0.1, 12.0, 0.2)
    density = 10 * np.exp(-(((height - 3.1) / 0.8) ** 2)) + 4.0
    return {
        "label": label,
        "height_A": height,
        "density_per_nm3": density,
        "low_per_nm3": density - 0.5,
        "high_per_nm3": density + 0.5,
        "density_g_per_cm3": density * mass_u / 602.2,
        "mass_u": mass_u,
        "verdict": "band from 5 replicas",
    }


def build_case(name: str, *, number: float, n_replicas: int) -> dict[str, Any]:
    half = 0.05 if n_replicas > 1 else None
    time = np.arange(20) * 0.5
    shares = {"free": quantity(0.1, half), "contact_pair": quantity(0.2, half), "aggregate": quantity(0.7, half)}
    return {
        "label": LABELS[name],
        "replicas": n_replicas,
        "normalisation": "the mean density in the slab above Li",
        "rdf": [
            build_distribution("Li+ Li", "surface Li", peak_A=2.7, n_replicas=n_replicas),
            build_distribution("TFSI- O", "surface Li", peak_A=2.4, n_replicas=n_replicas),
            build_distribution("TFSI- O", "Li+ Li", peak_A=2.05, n_replicas=n_replicas),
        ],
        "profiles": [
            build_profile("Li+ Li", mass_u=6.94),
            build_profile("TFSI- O", mass_u=16.0),
            build_profile("TFSI- centre of mass", mass_u=280.1),
        ],
        "approach": [
            {
                "label": label,
                "onset_A": quantity(2.0, half, "Å"),
                "peak_A": quantity(2.4, half, "Å"),
                "end_A": quantity(3.3, half, "Å"),
                "reason": "lowest point between the peaks at 2.40 and 4.80 Å",
                "n_resolved": n_replicas,
            }
            for label in ("Li+ Li", "TFSI- O")
        ],
        "coordination": {
            "label": "TFSI- O",
            "cutoff_A": 3.5,
            "cutoff_source": "as asked for",
            "sites": quantity(number, half),
            "molecules": quantity(number / 2, half),
            "definition": "mean number of O of TFSI- within 3.50 Å of a surface Li",
        },
        "orientation": {
            "label": "TFSI- S to S",
            "within_A": 4.0,
            "legendre_2": quantity(-0.3, half),
            "angle_deg": np.arange(5.0, 180, 10),
            "share": np.ones(18),
            "n_molecules": 6.5,
        },
        "association": {
            "label": "Li+ Li, TFSI- O",
            "cutoff_A": 3.1,
            "cations": shares,
            "anions": shares,
            "anions_per_cation": quantity(2.9, half),
            "distribution": [0.1, 0.2, 0.4, 0.3] if name == "bare" else [0.1, 0.9],
        },
        "residence": {
            "label": "Li+ Li, TFSI- O",
            "residence_time_ps": quantity(75.0, half, "ps", verdict="longer than 25.7 ps is all that can be said"),
            "time_ps": time,
            "continuous": np.exp(-time / 75),
            "continuous_low": np.exp(-time / 60),
            "continuous_high": np.exp(-time / 90),
            "intermittent": np.exp(-time / 120),
            "n_ended": 3,
        },
        "settled": [
            {
                "label": "potential energy",
                "mean": quantity(-81.5, half, "eV"),
                "kept_from_ps": 2.2,
                "change": -0.3,
                "is_settled": True,
                "verdict": f"settled in {n_replicas} of {n_replicas} replicas",
            }
        ],
    }


def build_observables(*, n_replicas: int = 5) -> dict[str, Any]:
    half = 0.08 if n_replicas > 1 else None
    resolved = n_replicas > 1
    verdict = "resolved" if resolved else "not resolved"
    advice = "" if resolved else "Not resolved: one replica has no error bar. Run at least 5 replicas of each case."
    difference = quantity(0.28, half, verdict=verdict)
    numbers = {"bare": 0.14, "layer": 0.42}
    cases = {name: build_case(name, number=number, n_replicas=n_replicas) for name, number in numbers.items()}
    headlines = {
        f"O of TFSI- within 3.50 Å of a surface atom, {case['label']}": case["coordination"]["sites"]
        for case in cases.values()
    }
    observables: dict[str, Any] = build_json_value(
        {
            "answer": "TFSI- O about a surface Li: 0.42 with the layer and 0.14 on the bare electrode.",
            "cases": cases,
            "contrast": {
                "resolved": resolved,
                "n_replicas": n_replicas,
                "advice": advice,
                "sites": {"difference": difference},
            },
            "headlines": headlines | {"difference": difference},
            "published": PUBLISHED,
        }
    )
    return observables


def change(observables: dict[str, Any], case: str, **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    changed = copy.deepcopy(observables)
    changed["cases"][case] |= parts
    return changed


def build_molecule_viewer() -> ViewerData:
    """An anion that rises above two atoms of an electrode in three frames."""
    ion, lithium = build_species("TFSI-").atoms, np.array([[0.0, 0, 0], [3.4, 0, 0]])
    positions = np.concatenate([lithium, ion.positions + np.array([0.0, 0.0, 6.0])])
    elements, molecules = ("Li", "Li", *ion.symbols), np.array([-1, -1, *[1] * len(ion)])
    bonds = find_drawn_bonds(Atoms(elements, positions=positions), molecules=molecules)
    case = ViewerCase(
        label="bare electrode",
        elements=elements,
        regions=("electrode", "electrode", *["electrolyte"] * len(ion)),
        positions_A=np.stack([positions + np.array([0.0, 0.0, 0.5 * frame]) for frame in range(3)]),
        cell_A=np.diag([20.0, 20.0, 20.0]),
        time_ps=np.arange(3.0),
        bonds=bonds,
    )
    return ViewerData({"bare": case})
