"""Suites and model definitions, written in TOML."""

from pytest_raq.config.diagnostics import nearest
from pytest_raq.config.loading import choose_dataset, load_model, load_suite, suite_names
from pytest_raq.config.models import JudgeSettings, ModelDefinition, SourceSettings
from pytest_raq.config.prompts import MessageSettings, PromptSettings
from pytest_raq.config.servers import OpenAISettings
from pytest_raq.config.suites import (
    ColumnSettings,
    DatasetSettings,
    FilterSettings,
    GateSettings,
    GenerationSettings,
    SuiteDefinition,
    SuiteJudgeSettings,
    check_rule,
)

__all__ = [
    "ColumnSettings",
    "DatasetSettings",
    "FilterSettings",
    "GateSettings",
    "GenerationSettings",
    "JudgeSettings",
    "MessageSettings",
    "ModelDefinition",
    "OpenAISettings",
    "PromptSettings",
    "SourceSettings",
    "SuiteDefinition",
    "SuiteJudgeSettings",
    "check_rule",
    "choose_dataset",
    "load_model",
    "load_suite",
    "nearest",
    "suite_names",
]
