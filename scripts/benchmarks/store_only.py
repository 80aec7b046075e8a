"""Makes the store importable without Home Assistant, as a process of its own has to have it.

Import this first. `custom_components.strata` itself is the integration and imports Home Assistant; where nobody has
loaded it, an empty package with the same folder stands in for it.
"""

import importlib.util
from pathlib import Path
import sys
import types

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "custom_components.strata"


def stand_in() -> None:
    """Put the empty package in its place, unless the real one is there already."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    if PACKAGE not in sys.modules:
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(ROOT / "custom_components" / "strata")]
        package.__spec__ = importlib.util.spec_from_loader(PACKAGE, None, is_package=True)
        sys.modules[PACKAGE] = package


stand_in()
