"""Templates, texts and files of the pages."""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.console.dossier import Word
from services.console.texts import LANGUAGES, level, text

HERE = Path(__file__).parent

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Controls, and what turns the direction of writing: in a name they are somebody's trick. Khmer's own
invisible marks (zero-width space and joiners) stay."""

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".ttf": "font/ttf",
          ".svg": "image/svg+xml"}  # fmt: skip


def clean(value: Any) -> Any:
    """A text as it may be shown: what nobody can see is shown as U+FFFD."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSEEN.sub("\ufffd", value)
    return "" if value is None else value


class StaticFiles:
    """Style, script and font, from memory, under the hash of their content: browsers keep them for good."""

    def __init__(self) -> None:
        found = {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir())}
        font = files("fontpkg_noto_sans_khmer") / "files" / "NotoSansKhmer[wdth,wght].ttf"
        found["khmer.ttf"] = font.read_bytes()
        self._hash = hashlib.sha256(b"".join(found.values())).hexdigest()[:16]
        self._found = found

    def url(self, name: str) -> str:
        """Where a page finds it. The style names the font beside it."""
        return f"/static/{self._hash}/{name}"

    async def answer(self, request: Request) -> Response:
        """The file, whatever hash an old page names."""
        content = self._found.get(request.path_params["name"])
        if content is None:
            return Response("not found", 404, media_type="text/plain")
        kind = _TYPES.get(Path(request.path_params["name"]).suffix, "application/octet-stream")
        kept = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(content, headers=kept, media_type=kind)


class Pages:
    """Renders templates in a language."""

    def __init__(self, static: StaticFiles, utc_offset_minutes: int) -> None:
        self.static = static
        self._zone = timezone(timedelta(minutes=utc_offset_minutes))
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=clean,
        )
        self._environment.filters["when"] = self.when
        self._environment.filters["number"] = number
        self._environment.tests["word"] = lambda value: isinstance(value, Word)
        self._environment.globals["static"] = static.url
        self._environment.globals["languages"] = LANGUAGES

    def render(
        self, template: str, language: str, context: Mapping[str, Any], status: int = 200
    ) -> HTMLResponse:
        """A page."""

        def t(key: str, **values: object) -> str:
            return text(language, key, **values)

        def found_level(field: str, name: str) -> str:
            return level(language, field, name)

        found = self._environment.get_template(template)
        told = {"t": t, "level": found_level, "language": language}
        return HTMLResponse(found.render(**context, **told), status)

    def when(self, value: Any) -> str:
        """A time of the log or the store, in local time; `—` where there is none."""
        if isinstance(value, int | float):
            moment = datetime.fromtimestamp(value / 1000, self._zone)
        elif isinstance(value, str) and value:
            try:
                moment = datetime.fromisoformat(value).astimezone(self._zone)
            except (ValueError, OverflowError):
                return str(clean(value))
        else:
            return "—"
        return moment.strftime("%Y-%m-%d %H:%M")

    def today(self, milliseconds: int) -> str:
        """The local day of a moment."""
        return datetime.fromtimestamp(milliseconds / 1000, self._zone).date().isoformat()


def number(value: Any) -> str:
    """With thousands apart."""
    return f"{value:,}" if isinstance(value, int) else str(value)
