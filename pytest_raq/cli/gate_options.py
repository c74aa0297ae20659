"""The settings of a suite's ``[gate]`` as options of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from pytest_raq.config import GateSettings


def add_gate_options(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    """Add the named settings of a suite's ``[gate]`` as options."""
    group = parser.add_argument_group("gate", "as in the [gate] table of a suite")
    for name in names:
        option = "--" + name.replace("_", "-")
        if name == "inconclusive":
            group.add_argument(option, choices=("pass", "fail"), help="(default: pass)")
        else:
            default = _default_settings().model_dump()[name]
            group.add_argument(option, type=float, metavar="X", help=f"(default: {default:g})")


def _default_settings() -> GateSettings:
    from pytest_raq.config import GateSettings

    return GateSettings()


def gate_settings(
    options: argparse.Namespace, names: tuple[str, ...], start: GateSettings | None = None
) -> GateSettings:
    """Return ``start`` with the settings that were typed; ConfigError names a wrong one."""
    from pydantic import ValidationError

    from pytest_raq.config import GateSettings

    typed = {name: getattr(options, name) for name in names}
    given = {name: value for name, value in typed.items() if value is not None}
    known = {} if start is None else start.model_dump()
    try:
        return GateSettings.model_validate({**known, **given})
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        option = str(first["loc"][0]).replace("_", "-")
        message = first["msg"].replace("Input should", "should")
        raise ConfigError(f"--{option} {first['input']}: {message}") from exc
