"""Suites and model definitions as they are written in TOML."""

from pytest_raq.config.files import load_model, load_suite, suite_names
from pytest_raq.config.judges import JudgeSettings
from pytest_raq.config.models import ModelDefinition, OpenAISettings, SourceSettings
from pytest_raq.config.suites import DatasetSettings, GateSettings, SuiteDefinition

__all__ = [
    "DatasetSettings",
    "GateSettings",
    "JudgeSettings",
    "ModelDefinition",
    "OpenAISettings",
    "SourceSettings",
    "SuiteDefinition",
    "load_model",
    "load_suite",
    "suite_names",
]
