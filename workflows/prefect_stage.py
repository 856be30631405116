"""Shows the stages of a flow in Prefect, which displays and times them and keeps nothing of them."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar
from uuid import UUID

from prefect import get_client, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

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


def mark_crashed(flow_run: str, *, reason: str) -> bool:
    """Tell the server that a flow run is over whose process died and could not say so.

    Args:
        flow_run: its id.
        reason: for people.

    Returns:
        Whether it was changed; it is not if it has ended already, the server does not know it, or this process is it.
    """
    if flow_run == runtime.flow_run.id:
        return False
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(UUID(flow_run)).state
        except ObjectNotFound:
            return False
        if state is not None and state.is_final():
            return False
        client.set_flow_run_state(UUID(flow_run), Crashed(message=reason), force=True)
    return True
