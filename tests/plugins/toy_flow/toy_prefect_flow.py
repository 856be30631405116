"""The toy flow as one that Prefect shows."""

from typing import Any

import toy_flow  # type: ignore[import-not-found]  # beside it
from prefect import flow as prefect_flow

from workflows.prefect_stage import run_stage

plan = toy_flow.plan


@prefect_flow(name="toy", retries=0, persist_result=False, validate_parameters=False)
def flow(config: dict[str, Any], *, workdir: str, store: str, cores: int | None = None, salt: str = "") -> None:
    run_stage(toy_flow.compute_sums, config, workdir=workdir, store=store, cores=cores, salt=salt)
