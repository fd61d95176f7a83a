"""The two errors a user is meant to read. Everything else is a crash and keeps its stack trace."""


class UserError(Exception):
    """What was asked cannot be done as asked: one line saying what to do. Exit code 2."""


class DataError(Exception):
    """The data do not allow it: what is wrong, where, and what to do. Exit code 3."""
