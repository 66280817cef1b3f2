"""Where the study's tracker keeps what it is told of one part of the study."""

from preceptor.engine import Tracking
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.study import Study


def tracking_of(study: Study, run: RunFolder, what: str) -> Tracking | None:
    """How the tracker is told of a part of the study; None where the study has none."""
    return Tracking(study.report_to, run.trackers, study.name, what) if study.report_to else None
