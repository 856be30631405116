"""A made-up run for the tests of the report: shaped like physics, measured nowhere."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.contact import NORMALISATION
from analysis.report import ViewerCase, ViewerData
from analysis.results import Provenance, Reference, Results, ResultWarning

CELL_A = np.array([[35.3, 0.0, 0.0], [5.8, 35.1, 0.0], [0.0, 0.0, 62.0]])
INTERFACE_Z_A = 23.0
CORES_A = np.array([[11.7, 8.8], [29.4, 26.3]])
NO_INTERVAL = {"uncertainty": None, "low": None, "high": None, "n_independent": 1, "verdict": "one replica"}
CASES = ("dislocation", "control")


def build_example_viewer(*, n_frames: int = 61, repeats: tuple[int, int, int] = (8, 3, 3)) -> ViewerData:
    """Layers of alloy below potassium that sinks along two lines in the first case and stays out in the second."""
    rng = np.random.default_rng(7)
    alloy = _build_alloy(repeats)
    metal = _build_metal()
    elements = [*rng.choice(["Bi", "Sn", "Sb"], size=len(alloy)), *["K"] * len(metal)]
    regions = ["anchor" if z < 5 else "alloy" for z in alloy[:, 2]] + ["potassium"] * len(metal)
    time_ps = np.linspace(0.0, 30.0, n_frames)
    cases: dict[str, ViewerCase] = {}
    for name in CASES:
        with_cores = name == "dislocation"
        frames = np.empty((n_frames, len(elements), 3))
        for number, share in enumerate(np.sqrt(time_ps / time_ps[-1])):
            moved = _sink(metal, share=share, along_cores=with_cores)
            frames[number] = np.concatenate([alloy, moved]) + rng.normal(0.0, 0.14, (len(elements), 3))
        track = CORES_A + np.cumsum(rng.normal(0, 0.05, (n_frames, 2, 2)), axis=0) if with_cores else None
        cases[name] = ViewerCase(
            label=name,
            elements=tuple(map(str, elements)),
            regions=tuple(regions),
            positions_A=frames,
            cell_A=CELL_A,
            time_ps=time_ps,
            core_track_A=track,
            line_z_range_A=(0.0, INTERFACE_Z_A),
        )
    return ViewerData(cases)


def _build_alloy(repeats: tuple[int, int, int]) -> NDArray[np.float64]:
    n_x, n_y, n_z = repeats
    layers = []
    for layer in range(3 * n_y):
        for level in (0.0, 1.55):
            x, z = np.meshgrid(np.arange(n_x) * 4.41, np.arange(2 * n_z) * 3.82)
            x = x + 2.205 * (np.arange(2 * n_z)[:, None] % 2) + 1.47 * layer
            flat = np.column_stack([x.ravel(), np.full(x.size, layer * 3.9 + level), z.ravel() + (level > 0) * 2.5])
            flat[:, 0] += flat[:, 1] * CELL_A[1, 0] / CELL_A[1, 1]
            layers.append(flat)
    atoms: NDArray[np.float64] = np.concatenate(layers)
    atoms[:, 2] %= INTERFACE_Z_A
    shift = CELL_A[1, 0] / CELL_A[1, 1] * atoms[:, 1]
    atoms[:, 0] = (atoms[:, 0] - shift) % CELL_A[0, 0] + shift
    return atoms


def _build_metal() -> NDArray[np.float64]:
    grid: NDArray[np.float64] = np.stack(
        np.meshgrid(np.arange(7.0), np.arange(7.0), np.arange(5.0), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    corners: NDArray[np.float64] = np.concatenate([grid, grid + 0.5]) * np.array([35.3 / 7, 35.1 / 7, 5.2])
    corners[:, 0] += corners[:, 1] * CELL_A[1, 0] / CELL_A[1, 1]
    corners[:, 2] += INTERFACE_Z_A + 2.8
    return corners


def _sink(metal: NDArray[np.float64], *, share: float, along_cores: bool) -> NDArray[np.float64]:
    moved = metal.copy()
    heights = metal[:, 2] - INTERFACE_Z_A
    moved[:, 2] -= share * 1.2 * np.exp(-heights / 4.0)
    if not along_cores:
        near = np.flatnonzero(heights < 4)[::9]
        moved[near, 2] -= share * 4.5
        return moved
    for core in CORES_A:
        distance = np.hypot(*(metal[:, :2] - core).T)
        chosen = np.argsort(distance + 0.8 * heights)[:9]
        for rank, atom in enumerate(chosen):
            depth = share * 15.0 * (1 - rank / len(chosen))
            way = min(1.0, 1.6 * share)
            moved[atom, :2] += way * (core - moved[atom, :2])
            moved[atom, 2] += (INTERFACE_Z_A - depth - moved[atom, 2]) * way
    return moved


def quantity(value: float, half: float, unit: str, *, n: float = 5, verdict: str = "converged") -> dict[str, Any]:
    return {
        "value": value,
        "uncertainty": half,
        "low": value - half,
        "high": value + half,
        "unit": unit,
        "method": "mean over replicas, Student interval",
        "n_independent": n,
        "verdict": verdict,
    }


def build_example_observables(*, resolved: bool = True) -> dict[str, Any]:
    sentence = (
        "The depth of potassium in the core columns grew by 14.20 ± 2.10 Å and in the same columns of the control by "
        "6.30 ± 1.80 Å within 30 ps from the relaxed cell on (5 replicas, 300 K): ratio 2.30, 95 % interval "
        "1.40 to 3.60."
        if resolved
        else "The depth of potassium in the core columns grew by 14.20 Å and in the same columns of the control by "
        "6.30 Å within 30 ps from the relaxed cell on (1 replica, 300 K): ratio 2.30, not resolved; five or more "
        "replicas would resolve it."
    )
    depths = {"dislocation": quantity(14.2, 2.1, "Å"), "control": quantity(6.3, 1.8, "Å")}
    if not resolved:
        depths = {name: depth | NO_INTERVAL for name, depth in depths.items()}
    return {
        "answer": sentence,
        "cases": {name: _build_case(name, final=depths[name]) for name in CASES},
        "contrast": {
            "region": "core columns",
            "estimate": 7.9,
            "low": 5.0 if resolved else None,
            "high": 10.8 if resolved else None,
            "n_replicas": 5 if resolved else 1,
            "resolved": resolved,
            "difference_A": quantity(7.9, 2.9, "Å") if resolved else quantity(7.9, 0.0, "Å") | NO_INTERVAL,
            "ratio": quantity(2.3, 1.1, "1") if resolved else quantity(2.3, 0.0, "1") | NO_INTERVAL,
            "sentence": sentence,
            "dislocation_gain_A": depths["dislocation"],
            "control_gain_A": depths["control"],
        },
    }


def _build_case(name: str, *, final: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(len(name))
    time = np.linspace(0, 30, 121)
    depth = final["value"] * np.sqrt(time / 30) + rng.normal(0, 0.25, time.size)
    half = 0.15 + (final["uncertainty"] or 1.0) * np.sqrt(time / 30)
    inside = np.rint(34 * depth.clip(0) / 14)
    grid = np.arange(0.0, 35.0, 0.5)
    x, y = np.meshgrid(grid, grid)
    density = 0.0004 + 0.0004 * rng.random(x.shape)
    if name == "dislocation":
        density += sum(0.02 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 9) for a, b in CORES_A)
    total = -3900.0 + rng.normal(0, 0.9, time.size)
    has_core = name == "dislocation"
    track = CORES_A + np.cumsum(rng.normal(0, 0.06, (time.size, 2, 2)), axis=0)
    core_depth = depth + 0.2
    return {
        "label": name,
        "replicas": 5,
        "normalisation": NORMALISATION,
        "penetration": {
            "time_ps": time,
            "depth_A": depth.clip(0),
            "low_A": (depth - half).clip(0),
            "high_A": depth + half,
            "n_inside": inside,
            "areal_density_per_nm2": 0.5,
            "by_region": {
                "core": {"depth_A": core_depth.clip(0), "n_inside": 0.7 * inside, "final": final, "gain": final},
                "crystal": {"depth_A": 0.4 * core_depth.clip(0), "n_inside": 0.3 * inside},
            },
            "final": final | {"value": final["value"] + 0.7},
            "gain": final | {"value": final["value"] + 0.7},
        },
        "rdf": [
            _build_rdf(pair, region, shift=0.05 * has_core)
            for pair in ("K-Bi", "K-Sn", "K-Sb", "K-K")
            for region in ("all", "interface", "core", "crystal")
        ],
        "msd": {
            "time_ps": time,
            "msd_A2": 3.2 * time**0.8 * (1.3 if has_core else 1.0),
            "low_A2": 2.8 * time**0.8 * (1.3 if has_core else 1.0),
            "high_A2": 3.6 * time**0.8 * (1.3 if has_core else 1.0),
            "species": "K",
        },
        "density_map": {
            "x_A": grid,
            "y_A": grid,
            "density_per_A3": density,
            "core_positions_A": CORES_A if has_core else [],
        },
        "core": {
            "time_ps": time,
            "positions_A": track,
            "burgers_ok": [True] * time.size,
            "verdict": "stays",
            "sentence": "Both cores stay within 1 Å of where they were.",
        }
        if has_core
        else None,
        "thermodynamics": {
            "time_ps": time,
            "temperature_K": 300 + rng.normal(0, 9, time.size),
            "pressure_GPa": rng.normal(0, 0.15, time.size),
            "potential_energy_eV": total + rng.normal(0, 0.5, time.size),
            "conserved_eV": -3880 + 0.002 * time + rng.normal(0, 0.004, time.size),
        },
        "guard": {
            "frames": 200,
            "outside": 3,
            "fraction": 0.015,
            "limit": 0.05,
            "trustworthy": True,
            "sentence": "3 of 200 frames (1.5 %) are outside the trained domain; the limit is 5 %.",
        },
    }


def _build_rdf(pair: str, region: str, *, shift: float) -> dict[str, Any]:
    r = np.arange(0.05, 8.0, 0.05)
    first = {"K-Bi": 3.6, "K-Sn": 3.7, "K-Sb": 3.55, "K-K": 4.6}[pair] + shift
    height = {"all": 2.2, "interface": 2.6, "core": 3.0, "crystal": 1.4}[region]
    g = 1 / (1 + np.exp(-(r - first - 0.9) * 5)) + height * np.exp(-(((r - first) / 0.28) ** 2))
    g = np.where(r < first - 0.9, 0.0, g)
    coordination = np.cumsum(4 * math.pi * r**2 * g * 0.05 * 0.0075)
    minimum = None if region == "crystal" else first + 0.75
    number = None if minimum is None else quantity(float(np.interp(minimum, r, coordination)), 0.2, "1", n=8)
    noise = 0.12 * np.sqrt(g)
    return {
        "pair": pair,
        "region": region,
        "r_A": r,
        "g": g,
        "g_low": g - noise,
        "g_high": g + noise,
        "coordination": coordination,
        "first_peak_A": first,
        "first_minimum_A": minimum,
        "cutoff_A": minimum,
        "coordination_number": number,
    }


def build_example_results(*, resolved: bool = True) -> Results:
    return Results(
        flow="potassium-diffusion",
        status="completed",
        config={
            "structure": {"alloy": "M-BiSnSb", "repeats": [8, 3, 3], "metal_thickness_A": 26.0, "vacuum_A": 12.0}
            | {
                "cases": list(CASES),
                "dislocation": {"burgers_vector": "1/3[11-20]", "arrangement": "dipole", "slip_plane": "basal"},
            },
            "calculator": {"name": "pod", "potential": "k-bi-sn-sb"},
            "dynamics": {"timestep_fs": 3.0, "temperature_K": 300.0, "start_temperature_K": 50.0, "ensemble": "nvt"}
            | {"heat_ps": 3.0, "equilibrate_ps": 3.0, "production_ps": 30.0, "frame_every_ps": 0.15}
            | {"fixed_regions": ["anchor"]},
            "replicas": 5 if resolved else 1,
            "seed": 1,
            "analysis": {"areal_density_per_nm2": 0.5, "core_radius_A": 6.0, "blocks": 5, "confidence": 0.95},
        },
        system={
            "alloy": {"formula": "Bi288Sb288Sn288", "name": "M-BiSnSb", "origin": "A7 structure, random decoration"},
            "metal": {"formula": "K490", "name": "potassium", "origin": "bcc"},
            "n_atoms": 1354,
            "composition": {"Bi": 288, "Sn": 288, "Sb": 288, "K": 490},
            "cell_A": CELL_A.tolist(),
            "strain_metal": [0.012, -0.008, 0.0],
            "gap_A": 2.6,
            "dislocation": {"kind": "edge, basal", "burgers_vector_A": [4.4073, 0.0, 0.0]},
            "potential": {
                "name": "k-bi-sn-sb",
                "teacher": "CHGNet 0.4.2 (itself not verified against DFT here)",
                "energy_rmse_meV_per_atom": 2.1,
                "force_rmse_meV_per_A": 61.0,
                "force_rmse_share": 0.13,
            },
        },
        observables=build_example_observables(resolved=resolved),
        warnings=(
            ResultWarning("amber", "The potential's teacher, CHGNet, was not verified against DFT for these alloys."),
            ResultWarning("amber", "30 ps is 10⁹ times shorter than the experiment; this is a made-up example."),
        ),
        references=(
            Reference(
                text="The paper whose Fig. 6 this flow follows, Adv. Funct. Mater. (2024).",
                doi="10.1002/adfm.202412551",
                bibtex="@article{adfm2024,\n  journal = {Adv. Funct. Mater.},\n  doi = {10.1002/adfm.202412551}\n}",
            ),
            Reference(text="A. P. Thompson et al., LAMMPS (2022).", doi="10.1016/j.cpc.2021.108171"),
        ),
        provenance=Provenance(
            versions={"alkaliflow": "0.1.0", "lammps": "2025.7.22.4.0", "ase": "3.29.0", "atomman": "1.5.4"},
            checksums={"coefficients.pod": "ab" * 32},
            seeds={"decoration": 1, "replicas": [1, 2, 3, 4, 5]},
            keys={"dynamics, dislocation, 1": "3f" * 32, "dynamics, control, 1": "a4" * 32},
            wall_times_s={"dynamics, dislocation, 1": 128.4},
            machine={"host": "laptop", "cores": 2},
            command="alkaliflow run potassium-diffusion --preset demo --set replicas=5",
            created="2026-01-01T12:00:00+00:00",
        ),
    )


@pytest.fixture(scope="session")
def example_viewer() -> ViewerData:
    return build_example_viewer()


@pytest.fixture
def example_results() -> Results:
    return build_example_results()


@pytest.fixture(scope="session")
def make_results() -> Callable[..., Results]:
    return build_example_results


@pytest.fixture(scope="session")
def make_viewer() -> Callable[..., ViewerData]:
    return build_example_viewer
