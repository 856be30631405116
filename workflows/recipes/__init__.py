"""What is done with a structure: one module a recipe, each `run_<recipe>(calculation, workspace)`."""

from workflows.jobs.contract import Recipe
from workflows.recipes.distillation_recipes import DISTILLATION_RECIPES
from workflows.recipes.electronic_energy import ELECTRONIC_ENERGY
from workflows.recipes.gap_scan import GAP_SCAN
from workflows.recipes.molecular_dynamics import MOLECULAR_DYNAMICS
from workflows.recipes.probe import PROBE
from workflows.recipes.relaxation import RELAXATION
from workflows.recipes.single_point import SINGLE_POINT

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *(SINGLE_POINT, RELAXATION, GAP_SCAN, MOLECULAR_DYNAMICS, ELECTRONIC_ENERGY, PROBE),
        *DISTILLATION_RECIPES,
    )
}
