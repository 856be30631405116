"""Trajectories to observables with error bars, and the results and report made of them."""
