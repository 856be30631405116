"""The whole flow from Python: what `alkaliflow run` does, with the results in hand.

    python examples/run_from_python.py [KEY=VALUE ...]     the preset demo; about 5 minutes on two cores

What it computes stays in the store below runs/: run it again, and it only reads. Another configuration needs another
directory than runs/from-python, and says so.
"""

import sys
from pathlib import Path

from analysis.headline import find_answer
from analysis.results import read_results
from structures.errors import AlkaliflowError
from workflows.configuration import resolve_config
from workflows.prefect_settings import use_private_server
from workflows.progress import listen
from workflows.run_directory import open_run


def main(*overrides: str) -> None:
    """Run the preset demo, with overrides such as dynamics.temperature_K=320, and print what it found."""
    resolved = resolve_config(preset="demo", sets=overrides)
    run = open_run(
        Path("runs/from-python"),
        flow="potassium-diffusion",
        config=resolved.config,
        store=Path("runs/store"),
        origin=resolved.provenance(),
    )
    with use_private_server(), listen(lambda event: print(f"{event['label']}: {event['state']}")):
        # Prefect reads its settings when it is imported, so it is imported after they are made.
        from workflows.potassium_diffusion import potassium_diffusion

        config = resolve_config(run.path / "config.yaml").config.model_dump(mode="json")
        report = potassium_diffusion(config=config, workdir=str(run.path), store=str(run.store))

    results = read_results(run.path)
    print(find_answer(results.observables))
    for case, found in results.observables["cases"].items():
        depth = found["penetration"]["final"]
        print(f"{case}, depth, all K: {depth['value']:.2f} {depth['unit']} ({depth['verdict']})")
    print(report)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AlkaliflowError as error:
        sys.exit(str(error))
