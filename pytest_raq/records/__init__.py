"""The nouns of pytest-raq as frozen records: no I/O, no numpy.

Everything between the layers is told in these. A *contestant* is whatever
stands in a ranking: a model's answer of today, or its accepted answer.
"""

from pytest_raq.records.answers import (
    Answer,
    EngineInfo,
    Failure,
    FinishReason,
    Outcome,
    Prompt,
    Timing,
    count_words,
    count_words_and_numbers,
)
from pytest_raq.records.judges import (
    Agreement,
    HumanAgreement,
    JudgeCheck,
    JudgeHabits,
    JudgeReport,
    LengthPreference,
    PairOfJudges,
    Proportion,
    Trend,
)
from pytest_raq.records.questions import (
    UNANSWERABLE,
    Question,
    QuestionSet,
)
from pytest_raq.records.rankings import (
    Exchange,
    Interval,
    JudgeVerdict,
    OmnibusTest,
    PairwiseP,
    Ranking,
    RankTests,
    Reading,
    Score,
    StandingChange,
)
from pytest_raq.records.results import (
    Baseline,
    BaselineQuestion,
    JudgeIdentity,
    ModelProvenance,
    ModelSummary,
    Provenance,
    QuestionResult,
    SpeedSamples,
    SuiteResult,
)
from pytest_raq.records.runs import RunFigures, RunRecord, RunState
from pytest_raq.records.verdicts import (
    Decision,
    QualityEvidence,
    SpeedEvidence,
    Verdict,
)

__all__ = [
    "UNANSWERABLE",
    "Agreement",
    "Answer",
    "Baseline",
    "BaselineQuestion",
    "Decision",
    "EngineInfo",
    "Exchange",
    "Failure",
    "FinishReason",
    "HumanAgreement",
    "Interval",
    "JudgeCheck",
    "JudgeHabits",
    "JudgeIdentity",
    "JudgeReport",
    "JudgeVerdict",
    "LengthPreference",
    "ModelProvenance",
    "ModelSummary",
    "OmnibusTest",
    "Outcome",
    "PairOfJudges",
    "PairwiseP",
    "Prompt",
    "Proportion",
    "Provenance",
    "QualityEvidence",
    "Question",
    "QuestionResult",
    "QuestionSet",
    "RankTests",
    "Ranking",
    "Reading",
    "RunFigures",
    "RunRecord",
    "RunState",
    "Score",
    "SpeedEvidence",
    "SpeedSamples",
    "StandingChange",
    "SuiteResult",
    "Timing",
    "Trend",
    "Verdict",
    "count_words",
    "count_words_and_numbers",
]
