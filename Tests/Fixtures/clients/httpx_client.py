# Drives fastapi_app.py with httpx, as programs ask services: httpx_client.py URL ... Says what is wrong by an
# exception.
import asyncio, sys

import httpx

async def pieces():
    yield b'{"name": "n", '
    await asyncio.sleep(0)
    yield b'"price": 2.5}'

async def drive(client):
    answer = await client.get("/", headers={"X-Token": "t"})
    assert answer.json() == {"ready": True, "token": "t"}, answer.text
    assert answer.headers["content-type"] == "application/json", answer.headers
    # At once, on several connections.
    numbers = await asyncio.gather(*(client.get(f"/sync/{number}") for number in range(20)))
    assert [one.json()["number"] for one in numbers] == list(range(20))
    assert (await client.get("/sync/x")).status_code == 422
    answer = await client.post("/items", json={"name": "ü", "price": 1.5})
    assert answer.json() == {"name": "ü", "twice": 3.0}, answer.text
    # A body in chunks, whose length nobody knows.
    answer = await client.post("/items", content=pieces(), headers={"Content-Type": "application/json"})
    assert answer.json() == {"name": "n", "twice": 5.0}, answer.text
    answer = await client.post("/upload", files={"f": ("name", b"x" * 300_000)})
    assert answer.json() == {"size": 300_000}, answer.text
    answer = await client.get("/missing")
    assert answer.status_code == 418 and answer.json() == {"detail": "short and stout"}, answer.text
    async with client.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers
        lines = [line async for line in answer.aiter_lines() if line]
    assert lines == ["data: 0", "data: 1", "data: 2"], lines
    assert (await client.get("/database/word")).json() == ["word"]
    answer = await client.post("/graphql", json={"query": "{ hello }"})
    assert answer.json()["data"] == {"hello": "GraphQL says hello"}, answer.text

async def main():
    for url in sys.argv[1:]:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
            await drive(client)

asyncio.run(main())
