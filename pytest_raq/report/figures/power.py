"""The picture of a plan: what runs of other sizes find, and how often they let a model pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pytest_raq.report.figures.plot_file import save_picture

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from pytest_raq.records.command_results import PowerPlan


def draw_plan(plan: PowerPlan, path: Path) -> None:
    """Write a picture of a plan in the format of the name; StoreError when that fails.

    Left the loss that is found, right the share of runs in which an unchanged model
    passes, both over the number of questions, one line a model.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    losses, passes = figure.subplots(1, 2)
    for item in plan.spreads:
        found = [at for at in item.outlook if not math.isnan(at.detectable)]
        label = item.model or f"{100 * item.changed:.0f} % changed"
        losses.plot(
            [at.questions for at in found], [at.detectable for at in found], "o-", label=label
        )
        passes.plot(
            [at.questions for at in item.outlook],
            [100 * at.pass_chance for at in item.outlook],
            "o-",
            label=label,
        )
    run = plan.run
    losses.axhline(run.margin, color="#888888", linestyle="--", linewidth=1)
    losses.set_title(f"Loss found in {100 * run.power:.0f} % of runs", parse_math=False)
    losses.set_ylabel("net preference lost (dashed: margin)")
    losses.set_ylim(bottom=0)
    passes.set_title("An unchanged model passes", parse_math=False)
    passes.set_ylabel("% of runs")
    passes.set_ylim(-3, 103)
    for axes in (losses, passes):
        _over_questions(axes, plan)
    figure.suptitle(f"{run.name}: {run.questions} questions planned", parse_math=False)
    save_picture(figure, path)


def _over_questions(axes: Axes, plan: PowerPlan) -> None:
    sizes = [at.questions for at in plan.spreads[0].outlook]
    axes.axvline(plan.run.questions, color="#888888", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("questions")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
