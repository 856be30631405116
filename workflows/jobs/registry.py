"""Finds a recipe by name: the built-in ones and those that users add by entry point `alkaliflow.recipes`."""

import difflib
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from structures.errors import InputError

if TYPE_CHECKING:
    from workflows.jobs.contract import Recipe


@cache
def _all_recipes() -> "dict[str, Recipe]":
    # Here, not above: recipes import the contract of jobs, which would be a cycle.
    from workflows.recipes import RECIPES

    return {**{entry.name: entry.load() for entry in entry_points(group="alkaliflow.recipes")}, **RECIPES}


def find_recipe(name: str) -> "Recipe":
    """The recipe of that name.

    Raises:
        InputError: if there is none.
    """
    recipes = _all_recipes()
    if name not in recipes:
        near = difflib.get_close_matches(name, recipes, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(recipes))}."
        message = f"There is no recipe {name!r}. {hint}"
        raise InputError(message)
    return recipes[name]
