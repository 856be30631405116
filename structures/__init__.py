"""Atomic models: alloys, metals, dislocations and interfaces, with the checks that they end in."""
