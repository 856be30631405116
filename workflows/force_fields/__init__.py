"""Force fields of molecules, ions and frameworks: parameters as data, and the typing of atoms by their surroundings."""
