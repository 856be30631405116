"""Bands of known shape."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erf

from analysis.density_of_states import (
    DensityOfStates,
    broaden,
    compute_band_centre,
    read_density_of_states,
    write_density_of_states,
)
from analysis.work_function import read_potential
from structures.errors import InputError

LOW_EV, HIGH_EV = -4.0, -1.0
N_LEVELS = 3000


def build_rectangle(n_spins: int = 1) -> DensityOfStates:
    """A d band of one atom, evenly filled from −4 to −1 eV, over two k-points of weights ¼ and ¾; occupied below −2.

    The other atom has an s level at +1 eV, which is empty.
    """
    levels = LOW_EV + (HIGH_EV - LOW_EV) * (np.arange(N_LEVELS) + 0.5) / N_LEVELS
    energies = np.broadcast_to(np.append(levels, 1.0), (n_spins, 2, N_LEVELS + 1)).copy()
    projections = np.zeros((*energies.shape, 2, 3), dtype=np.float32)
    projections[..., :N_LEVELS, 0, 2] = 5 / N_LEVELS
    projections[..., N_LEVELS, 1, 0] = 0.5
    return DensityOfStates(
        energies_eV=energies,
        occupations=(energies < -2.0).astype(float),
        k_weights=np.array([0.25, 0.75]),
        projections=projections,
        numbers=np.array([29, 1]),
        fermi_eV=3.0,
    )


@pytest.mark.parametrize("n_spins", [1, 2])
def test_a_rectangular_band_has_its_moments_and_filling(n_spins: int) -> None:
    band = compute_band_centre(build_rectangle(n_spins), atoms=[0])
    assert band.centre_eV == pytest.approx(-2.5, rel=1e-6)
    assert band.width_eV == pytest.approx(3 / np.sqrt(12), rel=1e-4)
    assert band.filling == pytest.approx(2 / 3, rel=1e-6)
    assert band.n_states == pytest.approx(10.0, rel=1e-6)
    assert band.to_json()["window_eV"] == [-10.0, 5.0]
    half = compute_band_centre(build_rectangle(n_spins), atoms=[0], window_eV=(-2.5, 0.0))
    assert half.centre_eV == pytest.approx(-1.75, rel=1e-3)
    assert half.n_states == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize("n_spins", [1, 2])
def test_electrons_are_counted_once(n_spins: int) -> None:
    assert build_rectangle(n_spins).n_electrons == pytest.approx(2 * 2000, rel=1e-9)


def test_a_broadened_rectangle_has_edges_of_error_functions() -> None:
    energies_eV = np.linspace(-6, 1, 71)
    width_eV = 0.2
    curve = broaden(build_rectangle(), energies_eV=energies_eV, width_eV=width_eV, atoms=[0], orbital="d")
    edges = [erf((energies_eV - edge) / (width_eV * np.sqrt(2))) for edge in (LOW_EV, HIGH_EV)]
    assert curve == pytest.approx(10 / 3 * (edges[0] - edges[1]) / 2, abs=1e-4)


def test_parts_add_up_to_the_total() -> None:
    states = build_rectangle(2)
    energies_eV = np.linspace(-7, 4, 1101)
    total = broaden(states, energies_eV=energies_eV, width_eV=0.3)
    assert np.trapezoid(total, energies_eV) == pytest.approx(2 * (N_LEVELS + 1), rel=1e-6)
    spins = [broaden(states, energies_eV=energies_eV, width_eV=0.3, spin=spin) for spin in (0, 1)]
    assert spins[0] + spins[1] == pytest.approx(total, rel=1e-12)
    every = broaden(states, energies_eV=energies_eV, width_eV=0.3, orbital="s")
    on_atom = broaden(states, energies_eV=energies_eV, width_eV=0.3, atoms=[1])
    assert every == pytest.approx(on_atom, rel=1e-12)
    assert np.trapezoid(every, energies_eV) == pytest.approx(1.0, rel=1e-6)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    states = build_rectangle()
    write_density_of_states(tmp_path / "states.npz", states)
    again = read_density_of_states(tmp_path / "states.npz")
    assert again.fermi_eV == 3.0
    assert compute_band_centre(again, atoms=[0]) == compute_band_centre(states, atoms=[0])
    with pytest.raises(InputError, match="holds density of states, needs planar potential"):
        read_potential(tmp_path / "states.npz")


def test_wrong_choices_are_refused() -> None:
    states = build_rectangle()
    with pytest.raises(InputError, match="orbital is 'f', needs one of s, p, d"):
        compute_band_centre(states, atoms=[0], orbital="f")
    with pytest.raises(InputError, match="indices from 0 to 1"):
        compute_band_centre(states, atoms=[2])
    with pytest.raises(InputError, match="no p states between -10 and 5 eV"):
        compute_band_centre(states, atoms=[0], orbital="p")
    with pytest.raises(InputError, match="width_eV is 0"):
        broaden(states, energies_eV=np.zeros(1), width_eV=0)
    with pytest.raises(InputError, match="spin is 1, the calculation has 1"):
        broaden(states, energies_eV=np.zeros(1), width_eV=1, spin=1)
    empty = replace(states, occupations=np.zeros_like(states.occupations))
    assert compute_band_centre(empty, atoms=[0]).filling == 0
