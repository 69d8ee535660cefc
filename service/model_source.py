"""Where a model comes from: a folder, or a repository of the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.settings import SettingsError
from solvers.bundled import bundled_checkpoints

_HUB_NAME = re.compile(r"(?P<repository>[^\W_][\w.-]*/(?P<name>\w[\w.-]*))(@(?P<revision>\S+))?")


#: Stands for all checkpoints that Inkfill comes with.
BUNDLED = "bundled"


@dataclass(frozen=True)
class ModelSource:
    """A model that the settings name.

    Attributes:
        name: what requests call it.
        folder: of the checkpoint, absolute; None for a model of the Hub.
        repository: ``ORG/NAME`` on the Hub; None for a folder.
        revision: a branch, tag or commit there; None for the main branch.
    """

    name: str
    folder: Path | None = None
    repository: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, given: str) -> ModelSource:
        """Read what was given as a model. A folder wins over a repository of the same name.

        Raises:
            SettingsError: it can be neither.
        """
        folder = Path(os.path.abspath(given))  # not resolved: a link goes by its own name
        if folder.is_dir():
            return cls(name=folder.name, folder=folder)
        found = _HUB_NAME.fullmatch(given)
        if folder.exists() or not found:
            raise SettingsError(
                f"models: {given} is not a folder; accepted: a checkpoint folder, or a model of "
                f"the Hugging Face Hub as ORG/NAME or ORG/NAME@REVISION, or {BUNDLED}"
            )
        repository, name, revision = found.group("repository", "name", "revision")
        return cls(name=name, repository=repository, revision=revision)

    def fetched(self) -> Path:
        """The checkpoint's folder; fetches it from the Hub if need be.

        Raises:
            SettingsError: it cannot be had; the message says why and what to do.
        """
        if self.folder is not None:
            return self.folder
        from service.hub import fetch  # takes long to import, which a folder need not wait for

        return fetch(self.repository or "", self.revision)


def model_sources(models: Sequence[str]) -> list[ModelSource]:
    """Where the models of the settings come from.

    Raises:
        SettingsError: one is neither a folder nor a Hub name, or two have the same name.
    """
    sources: dict[str, ModelSource] = {}
    for source in (source for given in models for source in _meant(given)):
        if source.name in sources:
            raise SettingsError(
                f"models: two have the same name, {source.name}, which requests go by"
            )
        sources[source.name] = source
    return list(sources.values())


def _meant(given: str) -> list[ModelSource]:
    """One model, or all that are bundled. A folder of that name wins."""
    if given != BUNDLED or Path(given).is_dir():
        return [ModelSource.parse(given)]
    return [ModelSource(name, folder) for name, folder in bundled_checkpoints().items()]
