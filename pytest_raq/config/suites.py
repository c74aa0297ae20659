"""``suites/NAME.toml``: what to ask whom, and when to fail."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic resolves the annotation at run time
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pytest_raq.config.base import Settings
from pytest_raq.config.prompts import PromptSettings  # noqa: TC001 - the same
from pytest_raq.records import UNANSWERABLE

Probability = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class ColumnSettings(Settings):
    """Which column holds what; ``""`` where none does.

    A dot leads into a column of objects: ``answers.text``. A column that is
    absent here is looked for under the usual names.
    """

    id: str | None = None
    """What names a question; made of passage and question where there is none (usual: id)."""
    title: str | None = None
    """What a passage is about, for filters and strata (usual: title)."""
    passage: str | None = None
    """What the question is about; may be empty (usual: passage, context)."""
    question: Annotated[str, Field(min_length=1)] | None = None
    """What is asked (usual: question)."""
    references: str | None = None
    """All right answers (usual: references, answers.text, answers, reference, answer)."""
    answerable: str | None = None
    """Whether the passage holds the answer; "not X" is contrary (usual: "not is_impossible")."""
    cluster: str | None = None
    """What questions share that stand and fall together, if not the passage (usual: cluster)."""


Value = str | int | bool
Values = tuple[Value, ...]


class FilterSettings(Settings):
    """Which questions of the source are kept before any are drawn."""

    title: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Only these titles: one text or a list."""
    answerable: bool | None = None
    """Only questions that their passage answers, or only those that it does not."""
    min_passage_length: Annotated[int, Field(ge=0)] | None = None
    """Characters that a passage has at least."""
    max_passage_length: Annotated[int, Field(ge=0)] | None = None
    """Characters that a passage has at most."""
    min_references: Annotated[int, Field(ge=0)] | None = None
    """Different references that a question has at least."""
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
    """The revision of a hub data set: a commit, for runs that can be repeated."""
    columns: ColumnSettings = ColumnSettings()
    """Which column holds what."""
    separator: Annotated[str, Field(min_length=1)] | None = None
    """What stands between the references of one text; a JSON list needs none."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """What stands between the cells of a CSV file; found out from its first line when absent."""
    no_answer: tuple[str, ...] = (UNANSWERABLE,)
    """What is right where the passage holds no answer; an empty answer always is."""
    filter: FilterSettings = FilterSettings()
    """Which questions are kept before any are drawn."""
    stratify: Annotated[str, Field(min_length=1)] | None = None
    """Draw from every value of this its share: title, answerable, or a column."""
    sample: Annotated[int, Field(ge=1)] | None = None
    """How many questions to draw; all when absent."""
    seed: int = 0
    """The seed of the draw."""

    @field_validator("no_answer", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @property
    def no_answer_references(self) -> tuple[str, ...]:
        """The references of a question without an answer; the empty one goes without saying."""
        return tuple(dict.fromkeys(text for text in self.no_answer if text.strip())) or ("",)


class GateSettings(Settings):
    """When a difference fails the build."""

    alpha: Probability = 0.05
    """Error rate of the quality test, over all models of the suite (Holm)."""
    margin: Annotated[float, Field(gt=0, le=1)] = 0.10
    """Net preference that may be lost: a pass needs the interval above −margin."""
    min_effect: Share = 0.05
    """Net preference below which a significant loss is not called a regression."""
    max_f1_drop: Share = 0.02
    """Guard rail: a larger loss of SQuAD F1 makes a pass inconclusive."""
    max_slowdown: Share = 0.10
    """Loss of speed that is tolerated."""
    max_missing: Share = 0.02
    """Share of questions without an answer or a ranking that is tolerated."""
    min_judge_accuracy: Share = 0.80
    """Share of known pairs that a judge must rank rightly to be believed; 0 checks no judge."""
    min_judges: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of a panel's judges that must have ranked a question."""
    inconclusive: Literal["pass", "fail"] = "pass"
    """Whether a run that cannot decide passes with a warning, or fails."""


class GenerationSettings(Settings):
    """How all models of a suite answer, whatever their definitions say."""

    context_length: Annotated[int, Field(ge=1)] | None = None
    """Tokens of prompt and answer together; what each definition says when absent."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """The longest answer, in tokens; what each definition says when absent."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """0 is greedy; what each definition says when absent."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """The seed of answers at a temperature above 0; what each definition says when absent."""


class SuiteDefinition(Settings):
    """One suite. ``name`` and ``path`` come from the file, not from its text."""

    name: str
    path: Path
    default: bool = False
    """Whether a plain ``pytest suites/`` runs the suite; else ``--raq-suite NAME`` does."""
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    """Who is asked: the names of model definitions, ``models/NAME.toml``."""
    judge: Annotated[str, Field(min_length=1)] | tuple[str, ...] = "reference"
    """Who ranks the answers: ``reference`` (SQuAD exact match, then F1), or a definition.

    A list of judges is a panel.
    """
    dataset: DatasetSettings
    """Where the questions are and which of them are asked."""
    generation: GenerationSettings = GenerationSettings()
    """What holds for all models of the suite, whatever their definitions say."""
    gate: GateSettings = GateSettings()
    """When a difference fails the build."""
    reproducible: bool = False
    """Whether all models with a GGUF file answer bit for bit the same in any batch."""
    prompt: PromptSettings | None = None
    """What every model is told in place of its own prompt."""

    @field_validator("models", mode="before")
    @classmethod
    def _accept_list(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("judge", mode="before")
    @classmethod
    def _accept_judges(cls, value: object) -> object:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not names:
            raise ValueError(f"expected a name, or a list of names for a panel (got {value!r})")
        for name in names:
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"expected names of judges (got {name!r})")
            if list(names).count(name) > 1:
                raise ValueError(f"names {name} more than once")
        return value if isinstance(value, str) else tuple(names)

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
        return (self.judge,) if isinstance(self.judge, str) else self.judge
