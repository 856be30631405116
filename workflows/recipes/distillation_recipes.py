"""The recipes of the flow `potential-distillation`."""

from workflows.jobs.contract import Recipe
from workflows.recipes.cell_relaxation import CELL_RELAXATION
from workflows.recipes.label_frames import LABEL_FRAMES
from workflows.recipes.potential_fit import POTENTIAL_FIT
from workflows.recipes.student_sampling import STUDENT_SAMPLING
from workflows.recipes.teacher_sampling import TEACHER_SAMPLING

DISTILLATION_RECIPES: tuple[Recipe, ...] = (
    TEACHER_SAMPLING,
    STUDENT_SAMPLING,
    LABEL_FRAMES,
    POTENTIAL_FIT,
    CELL_RELAXATION,
)
