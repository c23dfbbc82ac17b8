"""The words of other approval systems: their clients' calls, carried out by our own commands."""

from collections.abc import Sequence

from fastapi import APIRouter

from events.store.database import Database
from services.decision.dialects import checkpoints, companies, executions, hires, issues, operator
from services.decision.dialects.native import Native
from services.decision.dialects.records import Records
from services.web.app import Authenticate

_EACH = (operator, executions, checkpoints, companies, hires, issues)

ANSWERS: Sequence[type] = [shape for one in _EACH for shape in one.ANSWERS]
"""The shapes that the dialects answer with, for the OpenAPI document."""
BODIES: Sequence[type] = [shape for one in _EACH for shape in one.BODIES]
"""The shapes that they take."""


def dialect_routers(
    native: Native, database: Database, authenticate: Authenticate
) -> Sequence[APIRouter]:
    """Return the routes of every dialect; `database` speaks as the application's role."""
    records = Records(database)
    return [
        operator.operator_router(native, authenticate),
        executions.executions_router(native, records, authenticate),
        checkpoints.checkpoints_router(native, authenticate),
        companies.companies_router(native, records, authenticate),
        hires.hires_router(native, records, authenticate),
        issues.issues_router(native, records, authenticate),
    ]
