"""Drivers' errors in the kernel's words. A message names the kind of failure, never a bound parameter."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from llama_mapper.domain.kernel.errors import ErrorCode, StoreError

_REFUSED_BY_STATE = ("22", "23")  # SQLSTATE classes: data exception, integrity constraint violation
_SQLITE_UNAVAILABLE = (sqlite3.OperationalError, sqlite3.InterfaceError, sqlite3.InternalError)


def conflict(what: str) -> StoreError:
    """The error for a key that is taken."""
    return StoreError(f"{what} is already stored", ErrorCode.CONFLICT, retryable=False)


def translate(error: Exception) -> StoreError | None:
    """The store's error for a driver's, or None for an error that no driver raised.

    A row that the database refuses gives an error that is not retryable and keeps no cause, since a driver's text
    quotes the values it refused; everything else is retryable and keeps the cause.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    kind = type(original).__name__
    if isinstance(error, IntegrityError) or isinstance(original, sqlite3.IntegrityError):
        return _without_cause(conflict("a row with this key"))
    if _refused(original):
        return _without_cause(StoreError(f"the database refused a value ({kind})", retryable=False))
    if isinstance(error, (SQLAlchemyError, sqlite3.Error, OSError)) or _of_asyncpg(original) or _closed(error):
        unavailable = StoreError(f"the database is unavailable ({kind})")
        unavailable.__cause__ = error
        return unavailable
    return None


def _refused(error: BaseException) -> bool:
    if isinstance(error, (UnicodeEncodeError, OverflowError)):
        return True
    if isinstance(error, sqlite3.Error):
        return isinstance(error, (sqlite3.DataError, sqlite3.ProgrammingError))
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return isinstance(state, str) and state.startswith(_REFUSED_BY_STATE)


def _of_asyncpg(error: BaseException) -> bool:
    return type(error).__module__.startswith("asyncpg.")


def _closed(error: Exception) -> bool:
    # aiosqlite says "no active connection" and "Connection closed" with a bare ValueError.
    return type(error) is ValueError and str(error) in {"no active connection", "Connection closed"}


def _without_cause(error: StoreError) -> StoreError:
    error.__suppress_context__ = True
    return error
