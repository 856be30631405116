"""Entries of the toy flows."""

from workflows.flows import FlowEntry

ENTRIES = {
    name: FlowEntry(
        name=name,
        description="sums of numbers",
        module=module,
        config_module="toy_flow",
        config_class="ToyConfig",
        presets=("standard",),
        default_preset="standard",
    )
    for name, module in (("toy", "toy_flow"), ("toy-prefect", "toy_prefect_flow"))
}
