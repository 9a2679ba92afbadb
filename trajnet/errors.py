"""The errors that trajnet raises on purpose. Every message says what, got and expected, and what to do next."""


class TrajnetError(Exception):
    """Base of every error that a user can act on; the command line shows it without a traceback, exit code 2."""


class InputError(TrajnetError):
    """Recorded or live data that cannot be used: NaN, duplicate ids, a corrupt file, a wrong split."""


class ConfigError(TrajnetError):
    """A configuration that cannot be used: an unknown key, a wrong type, a value out of range."""


class ContractError(TrajnetError):
    """A model file or checkpoint that does not fit this version of trajnet or the use that is asked of it."""


class DependencyError(TrajnetError):
    """A package that the task needs is missing, or two that exclude each other are both installed."""


def in_words(error: BaseException) -> str:
    """Return an exception's type and text in one line, whatever its own text does."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # an exception of foreign code whose __str__ raises
        text = "(its text cannot be read)"
    return f"{type(error).__name__}: {text}"
