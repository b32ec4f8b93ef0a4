"""The model that is served: its file, and whether this software has what it was made with."""

from hashlib import sha256
from importlib import resources

from shared.contracts.model_file import Model, parse_model
from shared.contracts.normalise import NORMALISER_VERSION


def load_model(content: bytes) -> Model:
    """A model from its file.

    Raises ValueError for one that this software cannot serve: InvalidModel where the file is none at all.
    """
    model = parse_model(content)
    if model.normaliser != NORMALISER_VERSION:
        raise ValueError(f"model needs normaliser {model.normaliser}, this is {NORMALISER_VERSION}")
    return model


def model_sha256(content: bytes) -> str:
    """What names a model in claims and in reference data."""
    return sha256(content).hexdigest()


def default_model_bytes() -> bytes:
    """The shipped model, as `python -m tools.train_model` wrote it."""
    return resources.files("matching").joinpath("models", "default.json").read_bytes()
