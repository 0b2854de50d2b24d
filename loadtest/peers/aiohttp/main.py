"""FastAPI and aiohttp under uvicorn, as one would tune it: uvloop, httptools, orjson, no access log.

SESSION=shared keeps one client session for the life of the process, so that connections are used again. SESSION=each
makes one per request, as the example goes that most begin with: every call of it opens a connection of its own.
"""

import asyncio
import os
import socket
import sys
import threading
from contextlib import asynccontextmanager

import aiohttp
import orjson
import uvicorn
from fastapi import FastAPI, Response

ORIGIN = os.environ["ORIGIN"]
PATHS = [f"/a{index + 1}" for index in range(int(os.environ["FANOUT"]))]
JSON = "application/json"


def new_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(ORIGIN, connector=aiohttp.TCPConnector(limit=128, keepalive_timeout=600))


async def part(session: aiohttp.ClientSession, path: str) -> tuple[str, object]:
    async with session.get(path) as response:
        response.raise_for_status()
        return path[1:], orjson.loads(await response.read())


async def gather(session: aiohttp.ClientSession) -> Response:
    parts = await asyncio.gather(*(part(session, path) for path in PATHS))
    return Response(orjson.dumps(dict(parts)), media_type=JSON)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with new_session() as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


async def shared(count: int) -> Response:
    return await gather(app.state.session)


async def each(count: int) -> Response:
    async with new_session() as session:
        return await gather(session)


app.get("/fan/{count}")(shared if os.environ["SESSION"] == "shared" else each)


def leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])
