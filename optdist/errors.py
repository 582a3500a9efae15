"""The errors that a user can mend: each message says what was found and what to do."""


class OptDistError(Exception):
    """Base of every error that a job prints as one line before it exits non-zero."""


class ConfigError(OptDistError):
    """A configuration that cannot be used; the message lists every problem found."""


class DataError(OptDistError):
    """A table, file or split that is missing, damaged or too dirty to use."""


class TrainingError(OptDistError):
    """A training run that must not go on: ranks disagree, rows are missing, weights diverged."""


class ModelError(OptDistError):
    """A model package or registry entry that is missing or does not fit the data."""


class BusyError(OptDistError):
    """A folder that another job is working on."""
