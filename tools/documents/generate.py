"""`python -m tools.documents.generate [--check]`: writes docs/contracts/, or names what is stale in it."""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tools.documents.asyncapi import asyncapi
from tools.documents.files import file_schemas
from tools.documents.metrics_table import metrics_table
from tools.documents.schemas import schemas
from tools.documents.settings_table import settings_table
from tools.documents.vectors import vectors

TARGET = Path(__file__).parents[2] / "docs" / "contracts"


def documents() -> dict[str, bytes]:
    """Every generated file: its path under docs/contracts and its bytes, the same on every machine."""
    files = {f"schemas/{name}.json": _json(schema) for name, schema in schemas().items()}
    return {
        **files,
        **{f"files/{name}.json": _json(schema) for name, schema in file_schemas().items()},
        "asyncapi.json": _json(asyncapi(version("rollstream"))),
        "vectors.json": _json(vectors()),
        "metrics.md": metrics_table().encode(),
        "settings.md": settings_table().encode(),
    }


def stale(target: Path, files: Mapping[str, bytes]) -> list[str]:
    """Paths under `target` whose bytes differ from `files`, are missing, or are no longer generated."""
    present = {
        path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()
    }
    return sorted(path for path in present.keys() | files.keys() if present.get(path) != files.get(path))


def write(target: Path, files: Mapping[str, bytes]) -> list[str]:
    """Make `target` equal `files`; answers what changed. The folder holds nothing but generated files."""
    changed = stale(target, files)
    for path in changed:
        file = target / path
        if path in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(files[path])
        else:
            file.unlink()
    return changed


def main(arguments: Sequence[str] | None = None, target: Path = TARGET) -> int:
    """The exit code: 0, or 1 if `--check` finds a stale file, each named on stderr."""
    check = "--check" in (sys.argv[1:] if arguments is None else arguments)
    if not check:
        write(target, documents())
        return 0
    found = stale(target, documents())
    for path in found:
        sys.stderr.write(f"stale: {target / path} (make contracts)\n")
    return 1 if found else 0


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


if __name__ == "__main__":
    sys.exit(main())
