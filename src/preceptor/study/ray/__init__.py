"""A study on a Ray cluster: its stages and answers are tasks that fill the machines over one shared run folder."""

from preceptor.study.ray.cluster import THIS_MACHINE, require_ray
from preceptor.study.ray.on_cluster import work_on_ray

__all__ = ["THIS_MACHINE", "require_ray", "work_on_ray"]
