"""A mutation: one guard taken out of the code, and the tests that must notice."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


class UnusableMutation(ValueError):
    """A mutation that no longer fits the code; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """In `file`, `find` stands exactly once and is replaced by `replace`; then one of `tests` must fail.

    `guards` says what the code without it would do.
    """

    name: str
    guards: str
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> str:
        """Change the file below `root`; answers what stood in it before. Raises UnusableMutation."""
        path = root / self.file
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        found = before.count(self.find)
        if found != 1:
            raise UnusableMutation(f"{self.name}: its text stands {found} times in {self.file}, not once")
        path.write_text(before.replace(self.find, self.replace), encoding="utf-8")
        return before


def read_mutations(path: Path) -> list[Mutation]:
    """The mutations of a TOML file, in its order.

    Raises UnusableMutation for one that lacks something, has something unknown, or repeats a name.
    """
    found: list[Mutation] = []
    for item in tomllib.loads(path.read_text(encoding="utf-8")).get("mutation", []):
        name = str(item.get("name", "a mutation without a name"))
        try:
            mutation = Mutation(**{**item, "tests": tuple(item["tests"])})
        except (TypeError, KeyError) as error:
            raise UnusableMutation(f"{name}: {error}") from None
        if not mutation.tests or mutation.find == mutation.replace:
            raise UnusableMutation(f"{name}: it changes nothing, or names no test")
        if name in {each.name for each in found}:
            raise UnusableMutation(f"{name}: there are two of that name")
        found.append(mutation)
    return found
