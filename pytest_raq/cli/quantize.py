"""``raq quantize``: a GGUF file in another type, by llama.cpp's own quantizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.exit_codes import ExitCode
from pytest_raq.cli.output import add_json_option, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from pytest_raq.engines.llamacpp.quantizer import QuantizedFile


def add_quantize_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq quantize``."""
    text = "write a GGUF file in another type, by llama.cpp's own quantizer"
    parser = commands.add_parser("quantize", help=text, description=text)
    parser.add_argument("file", type=Path, metavar="FILE", help="the GGUF file, best at F16 or F32")
    parser.add_argument("--to", required=True, metavar="TYPE", help="Q8_0, Q4_K_M, Q2_K, …")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the new file (default: NAME-TYPE.gguf beside it)"
    )
    parser.add_argument("--force", action="store_true", help="replace the new file if it exists")
    add_json_option(parser)
    parser.set_defaults(command=_quantize)


def _quantize(options: argparse.Namespace) -> int:
    from pytest_raq.cli.progress import CommandProgress
    from pytest_raq.engines.llamacpp.quantizer import Quantizer, plain_name
    from pytest_raq.report.json_report import plain

    progress = CommandProgress()
    with Quantizer(options.file) as quantizer:
        kind = quantizer.kind(options.to)
        target = options.out or options.file.with_name(
            f"{plain_name(options.file, quantizer.source.quantization)}-{kind}.gguf"
        )
        _refuse(options.file, target, force=options.force)
        try:
            made = quantizer.quantize(
                kind,
                target,
                lambda done, total: progress.show(f"{target.name}: tensor {done} of {total}"),
            )
        finally:
            progress.clear()
        write_result(_lines(made, quantizer.source.quantization), plain(_table(made)), options.json)
    return ExitCode.FINE


def _refuse(source: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise ConfigError(f"--out {target}: is a folder; name the file")
    if target.exists() and target.samefile(source):
        raise ConfigError(f"--out {target}: is the file to be quantized; name another")
    if target.exists() and not force:
        raise ConfigError(f"{target}: exists; replace it with --force, or name another with --out")


def _lines(made: QuantizedFile, quantization: str) -> list[str]:
    from pytest_raq.report.text import size_text

    share = 100 * made.bytes / made.source_bytes
    before = f"{size_text(made.source_bytes)}{f' ({quantization})' * bool(quantization)}"
    head = f"{made.path}: {before} → {size_text(made.bytes)} ({made.kind}), {share:.0f} %"
    return [head, *(f"note: {note}" for note in made.notes)]


def _table(made: QuantizedFile) -> dict[str, object]:
    return {
        "file": str(made.path),
        "type": made.kind,
        "bytes": made.bytes,
        "source_bytes": made.source_bytes,
        "notes": list(made.notes),
    }
