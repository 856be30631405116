"""Shows the stages of a flow in Prefect, which displays and times them and keeps nothing of them."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE

P = ParamSpec("P")
R = TypeVar("R")


def run_stage(stage: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
    """Run a plain function as a task named after it.

    The arguments are bound before Prefect sees the task: it neither copies nor hashes nor stores them. Retries are the
    business of the jobs, and what is kept is kept in the store.
    """

    @task(name=stage.__name__.replace("_", " "), retries=0, persist_result=False, cache_policy=NO_CACHE)
    def bound() -> R:
        return stage(*arguments, **keywords)

    return bound()
