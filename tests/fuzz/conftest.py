"""A real front door before a real home, as tests/integration/home builds it."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("home_scene", Path(__file__).parents[1] / "integration/home/conftest.py")
_scene = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_scene)
open_house, brand_key, host_keys, log_lines = _scene.open_house, _scene.brand_key, _scene.host_keys, _scene.log_lines
