"""Python in the guest runs this at every start: the lab's changes come after the module that they change.

What is not imported is not changed, so that no program pays for a camera it does not use.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

CHANGES = {
    "picamera2.picamera2": "lab_camera",
    "blackbox_qt.storage.disk": "lab_disk",
    "blackbox_qt.app.app": "lab_patience",
    "blackbox_qt.ui.feed": "lab_patience",
}


class Changing:
    """Finds the modules of CHANGES where they are, and lets `apply(module)` change each once it is loaded."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in CHANGES else None  # type: ignore[arg-type]
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                importlib.import_module(CHANGES[name]).apply(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


# A change of threads costs an emulated processor about as much as the 0.5 ms after which the program asks for one:
# two cameras and a window would do nothing else.
sys.setswitchinterval = lambda _: None  # type: ignore[assignment]
sys.meta_path.insert(0, Changing)  # type: ignore[arg-type]
