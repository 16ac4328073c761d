"""A bare ASGI app that answers with bytes it has ready: what uvicorn itself can do.

    python -m bench.rest.bare PORT FOLDER

It serves every file of the folder under its name, with the options of HydraCore's own server.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn


class Bare:
    """The app."""

    def __init__(self, folder: Path) -> None:
        self._answers = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}
        self._heads = {
            path: [
                (b"content-length", str(len(body)).encode()),
                (b"content-type", b"application/json"),
            ]
            for path, body in self._answers.items()
        }

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Answer."""
        path = scope["path"]
        await send({"type": "http.response.start", "status": 200, "headers": self._heads[path]})
        await send({"type": "http.response.body", "body": self._answers[path]})


def main() -> None:
    uvicorn.run(
        Bare(Path(sys.argv[2])),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
