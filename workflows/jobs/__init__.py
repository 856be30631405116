"""Where, when and how often a calculation runs: keys, store, attempts, workers; no physics."""
