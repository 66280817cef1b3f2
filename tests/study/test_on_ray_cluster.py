"""Ray is told to be quiet, and nobody else is told with it."""

import os

from preceptor.study.ray import THIS_MACHINE, require_ray


def test_what_ray_is_told_when_it_is_imported_is_not_told_to_later_processes() -> None:
    before = dict(os.environ)
    require_ray(THIS_MACHINE)
    told = {name for name, value in os.environ.items() if before.get(name) != value}
    assert told <= {"RAY_CLIENT_MODE"}, "Ray says this one itself"
