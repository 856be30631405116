"""How GPAW is compiled here, from wheels alone: MPI and BLAS of this environment, its own functionals, no ScaLAPACK.

GPAW's setup runs this file (environment variable GPAW_CONFIG) with its own variables around it.
"""

import sys
from pathlib import Path

_PREFIX = Path(sys.prefix)
# Not imported: the build has packages of its own and does not see those of the environment.
_BLAS = next(_PREFIX.glob("lib/python3*/site-packages/scipy_openblas32/lib"), None)
if _BLAS is None:
    sys.exit("GPAW needs scipy-openblas32 first: pip install scipy-openblas32")

mpi = True
# mpicxx would let GPAW's parallel grids fail without ScaLAPACK
compiler = str(_PREFIX / "bin" / "mpicc")
noblas = False
nolibxc = True
fftw = False
scalapack = False
libraries = ["scipy_openblas"]
library_dirs = [str(_BLAS)]
# Seen from where the module lies, so that a wheel that pip keeps works in another environment, too.
runtime_library_dirs = ["$ORIGIN/scipy_openblas32/lib", "$ORIGIN/../.."]
# The wheel prefixes the names of its routines.
define_macros = [
    *globals().get("define_macros", []),
    *((f"{name}_", f"scipy_{name}_") for name in ("dgemm", "dsyrk", "dsyr2k", "zgemm", "zherk", "zher2k")),
]
