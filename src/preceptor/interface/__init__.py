"""The front door from Python: a study from a data frame or a file; results as a data frame and as verdicts."""

import warnings

from preceptor.openmp import limit_spinning

limit_spinning()  # before anything imports torch

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "IProgress not found")  # tqdm, in a notebook, of bars that are not shown
    from preceptor.interface.checked import Checked
    from preceptor.interface.new import new_study
    from preceptor.interface.results import Results
    from preceptor.interface.running import run_and_report, study_command
    from preceptor.interface.study import Study

__all__ = ["Checked", "Results", "Study", "new_study", "run_and_report", "study_command"]
