"""Servers for one machine: `engines` (embedded, or external by settings) and `embedded_engines`."""

from engines.embedded import Engines, embedded_engines, engines
from engines.engine import Engine, EngineFailed, ExternalEngine, LocalEngine

__all__ = [
    "Engine",
    "EngineFailed",
    "Engines",
    "ExternalEngine",
    "LocalEngine",
    "embedded_engines",
    "engines",
]
