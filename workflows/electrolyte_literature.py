"""Published values to show beside those of a run of `electrolyte-interface`, where they are of the same system."""

from typing import Any

from workflows.configuration.electrolyte_interface import ElectrolyteInterfaceConfig

# Fig. 4a and its text: coordination numbers, and distances of TFSI⁻ to the Li surface.
ZHEN_2025: dict[str, Any] = {
    "source": "Zhen et al. 2025",
    "doi": "10.1039/d5ee01219h",
    "coordination_number": {"layer": 0.42, "bare": 0.13},
    "range_A": {"layer": [1.8, 4.0], "bare": [2.4, 8.0]},
    "note": "how they were counted the paper does not say",
}


def find_published(config: ElectrolyteInterfaceConfig) -> dict[str, Any] | None:
    """Published values for TFSI⁻ at lithium with and without a layer; None for another electrode or electrolyte.

    Source: Zhen et al. 2025, 10.1039/d5ee01219h.
    """
    counts = set(config.structure.electrolyte.counts)
    is_same = config.structure.electrode.element == "Li" and counts == {"Li+", "TFSI-"}
    return ZHEN_2025 if is_same else None
