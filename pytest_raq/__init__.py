"""pytest-raq: gate model and quantization upgrades by Relative Answer Quality.

pytest imports this package in every run where it is installed, so nothing
heavy is imported here; see `pytest_raq.plugin` for the pytest side and
`pytest_raq.cli` for the ``raq`` command.
"""

__version__ = "0.1.0"
