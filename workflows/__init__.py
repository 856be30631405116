"""Flows, recipes, calculators and jobs: from a config to a results file."""
