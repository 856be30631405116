"""Columns of a table of thermodynamics: what engines write and the analysis reads. Imports nothing, as workers do."""

COLUMNS = (
    "time_ps",
    "step",
    "temperature_K",
    "pressure_GPa",
    "pressure_zz_GPa",
    "potential_energy_eV",
    "kinetic_energy_eV",
    "conserved_eV",
)
