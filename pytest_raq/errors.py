"""Every exception that pytest-raq raises on purpose.

    RaqError
    ├── UsageError             an option or a file of the user is wrong
    │   ├── ConfigError        a suite, model definition or option
    │   ├── DatasetError       a file or hub data set of questions
    │   ├── HubError           a model's file that a hub does not send, or sends incorrectly
    │   └── BaselineError      a baseline file that cannot be read
    ├── MeasurementError       something could not be measured
    │   ├── EngineError        an engine as a whole
    │   │   ├── EngineStartError   the model did not load
    │   │   └── EngineCrashError   the worker process cannot be used any more
    │   │       └── EngineDiedError    it ended by itself, or was killed
    │   ├── PromptTooLongError     one question does not fit the context
    │   └── JudgeError         the judge gave no usable verdict
    └── StoreError             the store or a result file cannot be written

Each message is one line that says what, where and what to do next.
Third-party exceptions are mapped to these once, where they first occur.
"""

from __future__ import annotations


class RaqError(Exception):
    """Base of all pytest-raq errors."""


class UsageError(RaqError):
    """An option or a file of the user is wrong; the user must correct it."""


class ConfigError(UsageError):
    """A suite, a model definition or an option is wrong."""


class DatasetError(UsageError):
    """Questions could not be read from a file or a hub."""


class HubError(UsageError):
    """A file of a hub cannot be fetched, or is not the right one."""


class BaselineError(UsageError):
    """A baseline file exists and cannot be read."""


class MeasurementError(RaqError):
    """Something could not be measured."""


class EngineError(MeasurementError):
    """An engine as a whole cannot answer."""


class EngineStartError(EngineError):
    """The model did not load, or its server did not answer."""


class EngineCrashError(EngineError):
    """The process that ran the model ended or stopped answering."""


class EngineDiedError(EngineCrashError):
    """The process that ran the model ended by itself, or was killed.

    ``signal`` is the number of the signal that ended it; 0 if there was none.
    """

    def __init__(self, message: str, signal: int = 0) -> None:
        super().__init__(message)
        self.signal = signal


class PromptTooLongError(MeasurementError):
    """A prompt and its answer do not fit the context of the model."""


class JudgeError(MeasurementError):
    """The judge gave no complete ranking."""


class InconclusiveWarning(UserWarning):
    """A gate could not decide, and its suite allows that."""


class StoreError(RaqError):
    """The store or a result file cannot be read or written."""
