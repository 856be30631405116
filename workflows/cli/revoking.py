"""The command that ends the wait for a worker which is gone."""

from typing import Annotated

import typer

from structures.errors import InputError
from workflows.cli.options import StoreOption, open_store


def revoke_job(
    key: Annotated[str, typer.Argument(help="Key of the calculation, or its first letters.")],
    *,
    store: StoreOption = None,
) -> None:
    """Close the newest attempt at a calculation whose worker is gone; the next driver makes a new one.

    A worker that lives after all sees it and stops. One that is seen to live on this machine is left alone.
    """
    from workflows.jobs.attempt import list_attempts, revoke_newest

    opened = open_store(store)
    full = opened.find_key(key)
    job = opened.job_directory(full)
    if not revoke_newest(job):
        process = (list_attempts(job)[-1].started() or {}).get("process") or {}
        raise InputError(
            f"{full[:12]} is running here as process {process.get('pid')}, needs to be gone. Stop its run instead."
        )
    typer.echo(f"No worker has {full[:12]} now. Go on with its run: alkaliflow resume RUN_DIRECTORY")
