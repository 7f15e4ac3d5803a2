"""The version, which `pyproject.toml` reads here as well. The packages are released together, with one version."""

__version__ = "0.1.0"
