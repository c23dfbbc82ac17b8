"""What can stop a request, each named for what the asker must do about it."""

from acme_expenses.records import Report


class CorrectInputError(Exception):
    """Correct the named fields and send again; `faults` pairs a field with a sentence."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field} {sentence}" for field, sentence in faults))
        self.faults = faults


class ShrinkBodyError(Exception):
    """Send less: the body is over the limit."""


class SendJsonError(Exception):
    """Send the body as JSON: its content type says that it is something else."""


class NoSuchReportError(Exception):
    """Look for another id: there is no report with this one."""

    def __init__(self, report_id: str) -> None:
        super().__init__(f"There is no report {report_id}.")


class ChooseAnotherIdError(Exception):
    """Choose another report id: this one is taken."""

    def __init__(self, report_id: str) -> None:
        super().__init__(f"There is a report {report_id} already; choose another report_id.")


class ReadAgainError(Exception):
    """Read the report again: it changed since the asker saw it."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"Report {report.id} has changed since you read it; read it again.")
        self.report = report


class AlreadySettledError(Exception):
    """Stop: the report is settled, and nothing but notes can be added to it."""

    def __init__(self, report: Report) -> None:
        super().__init__(
            f"Report {report.id} is {report.status} already, by {report.decided_by}."
            " It takes no change but notes."
        )
        self.report = report


class UseAnotherKeyError(Exception):
    """Use another Idempotency-Key: this one came with a different request before."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for a different request; use a new one for each request."
        )


class StopAddingNotesError(Exception):
    """Stop adding notes: the report holds as many as it may."""


class DataFileError(Exception):
    """Choose another data file, or stop the program that holds it."""
