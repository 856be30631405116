"""Errors that a user of alkaliflow meets; each message gives the value, the limit and the fix."""


class AlkaliflowError(Exception):
    """Base of all errors that alkaliflow raises on purpose."""


class InputError(AlkaliflowError):
    """The input is wrong: nothing was started, and the message says what to change."""


class SetupError(InputError):
    """This machine lacks what a calculation needs (a package, a module on Python's path, leave to run code).

    The fix lies outside of the calculation, so that this is never stored as its result.
    """


class CalculationError(AlkaliflowError):
    """A calculation broke down for a reason that may pass: a new attempt is worth while."""


class ConvergenceError(AlkaliflowError):
    """A calculation failed for a reason of the science: repeating it would fail again."""
