"""The errors that trajnet raises on purpose. Messages name what was expected, what was got, and what to do next."""


class TrajnetError(Exception):
    """Base of every error that a user can act on; the command line shows it without a traceback, exit code 2."""


class InputError(TrajnetError):
    """Recorded or live data is unusable: NaN, duplicate ids, a corrupt file, a wrong split."""


class ConfigError(TrajnetError):
    """A configuration is invalid: an unknown key, a wrong type, a value out of range."""


class ContractError(TrajnetError):
    """A model file or checkpoint does not fit this version of trajnet or the requested use."""


class DependencyError(TrajnetError):
    """A required package is missing, or two packages that exclude each other are both installed."""


#: The name on PyPI, which is not the package's: `trajnet` there belongs to somebody else (see pyproject.toml).
DISTRIBUTION = "trajnet-av"


def install_advice(extra: str) -> str:
    """Return the command that installs what an extra brings."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def in_words(error: BaseException) -> str:
    """Return an exception's type and text in one line, even if its __str__ raises."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # third-party exceptions may have a __str__ that raises
        text = "(its text cannot be read)"
    return f"{type(error).__name__}: {text}"
