"""Linking pyarrow's libraries before it is imported, so that its first import stalls nobody.

An import holds the interpreter while the dynamic linker reads and relocates what a module is linked with. Of pyarrow
that is more than 100 MB: a tenth of a second and more where it comes from a disk, during which no event loop runs. The
same linker called as any other foreign function is waited for without the interpreter, and what is linked already an
import only takes note of.
"""

from collections.abc import Iterable
import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
import os
from pathlib import Path
import sys

_MODULES = ("lib", "_compute", "_fs", "_azurefs", "_gcsfs", "_hdfs", "_s3fs", "_parquet")
"""What pyarrow imports to read, write and compute with; a version that lacks one of them does without."""


def link_pyarrow() -> None:
    """Link what reading and writing files makes pyarrow import; call it off the event loop, before any import of it.

    Where something cannot be linked, the import says why.
    """
    if "pyarrow._compute" in sys.modules:
        return  # The last to be imported.
    found = find_spec("pyarrow")
    folders = (found.submodule_search_locations if found else None) or ()
    link(Path(folder, name + EXTENSION_SUFFIXES[0]) for folder in folders for name in _MODULES)


def link(libraries: Iterable[Path]) -> None:
    """Link libraries with what they need in turn, waiting without the interpreter; they stay until the process ends."""
    # `ctypes.CDLL(library)` would link as well, but holds the interpreter meanwhile as an import does.
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for library in libraries:
        dlopen(os.fsencode(library), sys.getdlopenflags())
