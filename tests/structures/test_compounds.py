"""Compounds: stoichiometry and the distances that follow from the lattice constant."""

import numpy as np
import pytest

from structures.compounds import PROTOTYPES, Prototype, build_compound
from structures.errors import InputError

BY_NAME = {prototype.name: prototype for prototype in PROTOTYPES}


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda prototype: prototype.name)
@pytest.mark.parametrize("partner", ["Bi", "Sb", "Sn"])
def test_stoichiometry_and_size(prototype: Prototype, partner: str) -> None:
    atoms = build_compound(prototype, partner=partner)
    symbols = atoms.get_chemical_symbols()
    assert symbols.count("K") * prototype.n_partner == symbols.count(partner) * prototype.n_potassium
    assert 30 <= len(atoms) <= 70
    distances = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), k=1)]
    assert distances.min() > 3.0
    assert atoms.pbc.all()


@pytest.mark.parametrize(
    ("name", "partner", "shortest_A"),
    [
        ("K3X, BiF3 type", "Bi", 8.805 * np.sqrt(3) / 4),
        ("KX2, MgCu2 type", "Bi", 9.501 * np.sqrt(2) / 4),
        ("K3X, Na3As type", "Sb", 6.037 / np.sqrt(3)),
    ],
)
def test_shortest_distance_follows_from_the_known_lattice_constant(name: str, partner: str, shortest_A: float) -> None:
    atoms = build_compound(BY_NAME[name], partner=partner)
    distances = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), k=1)]
    np.testing.assert_allclose(distances.min(), shortest_A, rtol=2e-3)


def test_unknown_partner_is_refused() -> None:
    with pytest.raises(InputError, match=r"the partner is 'Fe', needs one of Bi"):
        build_compound(PROTOTYPES[0], partner="Fe")
