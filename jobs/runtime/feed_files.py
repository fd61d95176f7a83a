"""Feed files: what `conf/feeds/*.yaml` declares, checked when it is loaded, and which feeds share deliveries."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jobs.runtime.declarations import problems, problems_of_taker, problems_of_takers
from jobs.runtime.errors import UserError
from jobs.runtime.settings import checked_zone, conf_folder, explained, read_mapping
from schemas.feed import Feed


class FeedFiles:
    """The feeds of an environment: `conf/feeds`, each replaceable by `conf/<env>/feeds`."""

    def __init__(self, env: str | None, default_time_zone: str) -> None:
        """Read lazily; `default_time_zone` holds for feeds which name none."""
        self._env = env
        self._time_zone = default_time_zone

    @cached_property
    def names(self) -> list[str]:
        """Names of all declared feeds."""
        return sorted({path.stem for folder in self._folders() for path in folder.glob("*.yaml")})

    def load(self, name: str) -> Feed:
        """One feed, with what it leaves to others. UserError where it, or one of those, is not or wrongly declared."""
        path = self._path(name)
        if path is None:
            raise UserError(f"Unknown feed {name!r}. Declared: {', '.join(self.names)}.")
        feed = self._parse(path)
        takers = self._takers(feed.landing)
        if wrong := problems_of_takers(takers):
            raise UserError(f"Feed file {path} cannot be used: {'; '.join(wrong)}.")
        return feed if feed.deliveries_of else replace(feed, leaves=tuple(taker.takes or {} for taker in takers))

    def _takers(self, name: str) -> list[Feed]:
        """Feeds which read the deliveries of this one."""
        # most feeds share nothing, and what is wrong with the file of one of those does not stop this one
        named = (path for path in map(self._path, self.names) if path and b"deliveries_of" in path.read_bytes())
        return [self._parse(path) for path in named if read_mapping(path).get("deliveries_of") == name]

    def _path(self, name: str) -> Path | None:
        paths = (folder / f"{name}.yaml" for folder in self._folders())
        return next((path for path in paths if path.exists()), None)

    def _folders(self) -> list[Path]:
        base = conf_folder()
        return [base / self._env / "feeds", base / "feeds"] if self._env else [base / "feeds"]

    def _parse(self, path: Path) -> Feed:
        declared: dict[str, Any] = {"name": path.stem, **read_mapping(path)}
        if "deliveries_of" in declared:
            of = self._path(str(declared["deliveries_of"]))
            shared = read_mapping(of) if of else None
            if wrong := problems_of_taker(declared, shared):
                raise UserError(f"Feed file {path} cannot be used: {'; '.join(wrong)}.")
            declared = {**(shared or {}), **declared}
        declared.setdefault("time_zone", self._time_zone)
        if str(declared.get("reader")).endswith("_parquet"):
            declared.setdefault("pattern", "*.parquet")
        try:
            feed = TypeAdapter(Feed).validate_python(declared)
        except ValidationError as error:
            raise UserError(f"Feed file {path}: " + explained(error)) from None
        try:
            checked_zone(feed.time_zone or self._time_zone)
        except ValueError as error:
            raise UserError(f"Feed file {path}: time_zone: {error}.") from None
        if wrong := problems(feed, declared):
            raise UserError(f"Feed file {path} cannot be used: {'; '.join(wrong)}.")
        return feed
