"""``suites/NAME.toml``: the questions, the models, and when a test fails."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic resolves the annotation at run time
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from pytest_raq.config.base import Settings
from pytest_raq.config.models import InstructionSet  # noqa: TC001 - the same
from pytest_raq.config.prompts import PromptSettings  # noqa: TC001 - the same
from pytest_raq.records import UNANSWERABLE

Share = Annotated[float, Field(ge=0, le=1)]


class ColumnSettings(Settings):
    """The columns with the parts of a question; ``""`` if there is no such column.

    A dot selects a key in a column of objects: ``answers.text``. A column that is
    absent here is searched under its usual names.
    """

    id: str | None = None
    """The id of a question; made from passage and question if absent (usual: id)."""
    title: str | None = None
    """The topic of a passage, for filters and strata (usual: title)."""
    passage: str | None = None
    """The text with the answer; may be empty (usual: passage, context)."""
    question: Annotated[str, Field(min_length=1)] | None = None
    """The question (usual: question)."""
    references: str | None = None
    """All correct answers (usual: references, answers.text, answers, reference, answer)."""
    answerable: str | None = None
    """Whether the passage has the answer; "not X" negates X (usual: "not is_impossible")."""
    cluster: str | None = None
    """The group of dependent questions, if it is not the passage (usual: cluster)."""


Value = str | int | bool
Values = tuple[Value, ...]


class FilterSettings(Settings):
    """Which questions of the source are kept before the sample is drawn."""

    title: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Only these titles: one text or a list."""
    answerable: bool | None = None
    """true: only questions that their passage answers; false: only the others."""
    min_passage_length: Annotated[int, Field(ge=0)] | None = None
    """Minimum length of a passage in characters."""
    max_passage_length: Annotated[int, Field(ge=0)] | None = None
    """Maximum length of a passage in characters."""
    min_references: Annotated[int, Field(ge=0)] | None = None
    """Minimum number of different references of a question."""
    columns: dict[str, Values] = Field(default_factory=dict)
    """Only rows with these values: column = value, or column = [values]."""

    @field_validator("title", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _accept_title(cls, value: object) -> object:
        return _as_tuple(value)

    @field_validator("columns", mode="before", json_schema_input_type=dict[str, Value | Values])
    @classmethod
    def _accept_columns(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {column: _as_tuple(item) for column, item in value.items()}


def _as_tuple(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | int) else value


class DatasetSettings(Settings):
    """Where the questions are and which of them are asked."""

    source: Annotated[str, Field(min_length=1)]
    """A JSON, JSONL, CSV, TSV or Parquet file, a folder made by ``save_to_disk``, or a hub id."""
    name: str | None = None
    """The configuration of a hub data set."""
    split: str | None = None
    """The split of a hub or saved data set; not used for files."""
    revision: str | None = None
    """The revision of a hub data set; use a commit to make runs repeatable."""
    columns: ColumnSettings = ColumnSettings()
    """The columns with the parts of a question."""
    separator: Annotated[str, Field(min_length=1)] | None = None
    """The separator between references in one text; a JSON list needs none."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """The separator between cells of a CSV file; detected from its first line when absent."""
    no_answer: tuple[str, ...] = (UNANSWERABLE,)
    """Correct answers if the passage has no answer; an empty answer is always correct."""
    encoding: str | None = None
    """The encoding of a text file that is not UTF-8, for example cp1252."""
    filter: FilterSettings = FilterSettings()
    """Which questions are kept before the sample is drawn."""
    stratify: Annotated[str, Field(min_length=1)] | None = None
    """Stratify the sample by this: title, answerable, or a column."""
    sample: Annotated[int, Field(ge=1)] | None = None
    """How many questions to draw; all when absent."""
    seed: int = 0
    """The seed of the draw."""

    @field_validator("no_answer", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("encoding")
    @classmethod
    def _know_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                "".encode(value)
            except (LookupError, ValueError) as exc:
                raise ValueError("should be a text encoding, for example cp1252") from exc
        return value

    @property
    def no_answer_references(self) -> tuple[str, ...]:
        """The references of a question without an answer; the empty answer is always included."""
        return tuple(dict.fromkeys(text for text in self.no_answer if text.strip())) or ("",)


class GateSettings(Settings):
    """When a difference fails the build.

    The limits keep the gate able to fail. A run with a setting that is laxer than the accepted one
    decides nothing until that is accepted with a reason.
    """

    # Which way each of them is laxer is in LAXER of gate/strictness.py.
    alpha: Annotated[float, Field(ge=0.001, lt=1)] = 0.05
    """Significance level of the quality test, over all models of the suite (Holm)."""
    margin: Annotated[float, Field(gt=0, le=0.5)] = 0.10
    """Net preference that may be lost: a pass needs the interval above −margin."""
    pass_level: Annotated[float, Field(gt=0, le=0.1)] = 0.025
    """One-sided level of a pass: how often a true loss of ``margin`` may pass."""
    min_effect: Annotated[float, Field(ge=0, le=0.2)] = 0.05
    """Net preference below which a significant loss is not called a regression."""
    max_f1_drop: Annotated[float, Field(ge=0, le=0.2)] = 0.02
    """Loss of SQuAD F1 that is allowed: suspect if its whole interval is a larger loss."""
    max_slowdown: Share = 0.10
    """Maximum loss of speed that is allowed."""
    max_missing: Annotated[float, Field(ge=0, le=0.2)] = 0.02
    """Maximum share of questions without an answer or a ranking that is allowed."""
    min_judge_accuracy: Share = 0.80
    """Share of known pairs that a judge must rank correctly to be trusted; 0 means no check."""
    judge_check_questions: Annotated[int, Field(ge=4, le=200)] = 4
    """Questions from which known pairs are made, 6 of each: more of them measure a judge better."""
    min_judges: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Minimum share of a panel's judges that must have ranked a question."""
    likelihood: Literal["off", "show", "gate"] = "gate"
    """Whether the likelihood of the references is measured, and whether verdicts use it."""
    likelihood_margin: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """Bits per byte of the reference that may be lost: a pass needs the interval below it."""
    likelihood_min_effect: Annotated[float, Field(ge=0, le=0.3)] = 0.03
    """Bits per byte below which a significant loss of likelihood raises no doubt."""
    inconclusive: Literal["pass", "fail"] = "pass"
    """Whether an inconclusive run passes with a warning, or fails."""
    suspect: Literal["pass", "fail"] = "fail"
    """Whether a likely loss that is not proven fails, or passes with a warning."""


class GenerationSettings(Settings):
    """Settings for all models of a suite; they override the definitions of the models."""

    context_length: Annotated[int, Field(ge=1)] | None = None
    """Maximum tokens of prompt and answer together; the value of each definition when absent."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Maximum tokens of an answer; the value of each definition when absent."""
    max_reasoning_tokens: Annotated[int, Field(ge=1)] | None = None
    """Maximum tokens of the reasoning, in addition to those of the answer; the value of each
    definition when absent."""
    reasoning: Literal["auto", "off", "keep"] | None = None
    """What becomes of the reasoning before an answer; the value of each definition when absent."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """Sampling temperature; 0 is greedy; the value of each definition when absent."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """The seed of answers at a temperature above 0; the value of each definition when absent."""


RuleFigure = Literal["exact_match", "contains", "f1"]

Rule = Literal["grades"] | tuple[RuleFigure, ...]


class SuiteJudgeSettings(Settings):
    """The judge of a suite as a table: instead of ``judge = "NAME"``."""

    name: Annotated[str, Field(min_length=1)] | tuple[str, ...] = "reference"
    """The judge, or a list of judges for a panel."""
    rule: Rule = "grades"
    """How the judge ``reference`` ranks: by its grades, or by these figures, each one among answers
    that the figures before it do not separate: ``["exact_match", "contains", "f1"]``."""

    @field_validator("name", mode="before")
    @classmethod
    def _accept_judges(cls, value: object) -> object:
        return _names_of_judges(value)

    @field_validator("rule", mode="before")
    @classmethod
    def _accept_rule(cls, value: object) -> object:
        return check_rule(value)

    @model_validator(mode="after")
    def _need_reference(self) -> Self:
        names = (self.name,) if isinstance(self.name, str) else self.name
        if self.rule != "grades" and "reference" not in names:
            raise ValueError("rule is for the judge reference, which is not named here")
        return self


def check_rule(value: object) -> object:
    """Return the rule of the reference judge as it is kept; raise ValueError if it is none."""
    if value == "grades":
        return value
    known = get_args(RuleFigure)
    figures = tuple(value) if isinstance(value, list | tuple) else ()
    if not figures or any(figure not in known for figure in figures):
        raise ValueError(f'expected "grades", or a list of {", ".join(known)} (got {value!r})')
    if len(set(figures)) < len(figures):
        raise ValueError(f"names a figure more than once (got {value!r})")
    return figures


def _names_of_judges(value: object) -> object:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"expected a name, or a list of names for a panel (got {value!r})")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"expected names of judges (got {name!r})")
        if list(names).count(name) > 1:
            raise ValueError(f"names {name} more than once")
    return value if isinstance(value, str) else tuple(names)


class SuiteDefinition(Settings):
    """One suite. ``name`` and ``path`` come from the file, not from its text."""

    name: str
    path: Path
    default: bool = False
    """Whether ``pytest suites/`` runs the suite; otherwise use ``--raq-suite NAME``."""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    """The models under test: the names of model definitions, ``models/NAME.toml``."""
    judge: Annotated[str, Field(min_length=1)] | tuple[str, ...] | SuiteJudgeSettings = "reference"
    """The judge of the answers: ``reference`` (fixed rules, no model), or a definition.

    A list of judges is a panel.
    """
    dataset: DatasetSettings
    """Where the questions are and which of them are asked."""
    generation: GenerationSettings = GenerationSettings()
    """Settings for all models of the suite; they override the definitions of the models."""
    gate: GateSettings = GateSettings()
    """When a difference fails the build."""
    same_model: bool = False
    """Whether several definitions may reach one model of one server, for example to compare
    prompts; otherwise that is an error, because it would be ranked as several models."""
    reproducible: bool = False
    """Whether all models with a GGUF file answer bit for bit the same in any batch."""
    instruction_set: InstructionSet | None = None
    """The instruction set that llama.cpp must be compiled for, for all models with a GGUF file; the
    value of each definition when absent."""
    prompt: PromptSettings | None = None
    """The prompt for all models, instead of their own prompts."""

    @field_validator("models", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("judge", mode="before")
    @classmethod
    def _accept_judges(cls, value: object) -> object:
        is_table = isinstance(value, dict | SuiteJudgeSettings)
        return value if is_table else _names_of_judges(value)

    @field_validator("models")
    @classmethod
    def _refuse_duplicates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} more than once")
        return value

    @property
    def judges(self) -> tuple[str, ...]:
        """The names of the judges, one or more."""
        named = self.judge.name if isinstance(self.judge, SuiteJudgeSettings) else self.judge
        return (named,) if isinstance(named, str) else named

    @property
    def rule(self) -> tuple[str, ...]:
        """The figures by which the reference judge ranks; none for its grades."""
        rule = self.judge.rule if isinstance(self.judge, SuiteJudgeSettings) else "grades"
        return rule if isinstance(rule, tuple) else ()

    def judged_by(self, names: tuple[str, ...]) -> tuple[str, ...] | SuiteJudgeSettings:
        """Return ``judge`` for other judges; the rule of the reference judge stays."""
        if not isinstance(self.judge, SuiteJudgeSettings) or "reference" not in names:
            return names
        return self.judge.model_copy(update={"name": names})
