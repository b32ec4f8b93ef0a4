"""Names of places, from the gazetteer that is in force."""

from contextlib import suppress

from shared.reference.files import InvalidReference, MissingReference, ReferenceStore


class Places:
    """Tells a place by its names and code; by its code alone where the gazetteer is not at hand."""

    def __init__(self, store: ReferenceStore, gazetteer: str | None) -> None:
        self._names: dict[str, tuple[str, str]] = {}
        if gazetteer is not None:
            # The codes do, and whoever lacks the file is told of it where it matters.
            with suppress(MissingReference, InvalidReference):
                self._names = dict(store.gazetteer(gazetteer).names)

    def __call__(self, code: str) -> str:
        """Such as `Phnum Penh · ភ្នំពេញ (12)`."""
        names = [name for name in reversed(self._names.get(code, ())) if name]
        return f"{' · '.join(names)} ({code})" if names else code
