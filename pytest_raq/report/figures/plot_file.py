"""Pictures of commands as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def require_plot(path: Path) -> None:
    """ConfigError, before anything is measured, when a picture could not be drawn there."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--plot {path}: write a name that ends with {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--plot {path}: {path.parent} is not a folder")
    try:
        import matplotlib  # noqa: F401, ICN001 - only whether it is there
    except ImportError as exc:
        raise ConfigError(
            f"--plot {path}: pictures need matplotlib: pip install 'pytest-raq[plot]'"
        ) from exc


def save_picture(figure: Figure, path: Path) -> None:
    """Write a picture in the format of the name; StoreError when that fails.

    Text stays text, and the same picture is the same file.
    """
    from matplotlib import rc_context

    metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
    try:
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "raq"}):
            figure.savefig(path, dpi=150, metadata=metadata)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
