"""Optional packages: how to install what an extra of Preceptor adds."""

from importlib.metadata import requires

from packaging.requirements import Requirement


def install_command(extra: str) -> str:
    """The pip command that installs the packages of `extra`, with the versions that Preceptor's metadata asks for.

    It names them and not Preceptor with the extra, for which pip may ask an index: anybody can register our name there.
    """
    declared = [Requirement(line) for line in requires("preceptor") or ()]
    added = [one for one in declared if _holds(one, extra) and not _holds(one, "")]
    return " ".join(["pip install", *(f"'{_without_marker(one)}'" for one in added)])


def _without_marker(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
