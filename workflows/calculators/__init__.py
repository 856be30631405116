"""With what a calculation is done: calculator specs, their commands and their capabilities."""
