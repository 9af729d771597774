# FastAPI: models, dependencies, sync and async endpoints, errors, uploads, background tasks, GraphQL.
import asyncio
from contextlib import asynccontextmanager

import httpx, strawberry
from fastapi import BackgroundTasks, Depends, FastAPI, File, HTTPException, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from strawberry.fastapi import GraphQLRouter

done = []

@asynccontextmanager
async def lifespan(app):
    app.state.ready = True
    yield
    app.state.ready = False

application = FastAPI(lifespan=lifespan)

class Item(BaseModel):
    name: str
    price: float

async def token(request: Request):
    return request.headers.get("x-token", "none")

@application.get("/")
async def index(word: str = Depends(token)):
    return {"ready": application.state.ready, "token": word}

@application.get("/sync/{number}")
def sync(number: int):
    return {"number": number}

@application.post("/items")
async def items(item: Item):
    return {"name": item.name, "twice": item.price * 2}

@application.post("/upload")
async def upload(f: UploadFile = File()):
    return {"size": len(await f.read())}

@application.get("/missing")
async def missing():
    raise HTTPException(418, "short and stout")

@application.get("/events")
async def events():
    async def lines():
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.01)
    return StreamingResponse(lines(), media_type="text/event-stream")

@application.get("/later")
async def later(tasks: BackgroundTasks):
    tasks.add_task(done.append, "later")
    return done

@application.get("/client")
async def client(request: Request):
    async with httpx.AsyncClient(trust_env=False) as own:
        url = request.query_params["url"]
        answers = await asyncio.gather(*(own.get(f"{url}/sync/{n}") for n in range(3)))
    return [one.json()["number"] for one in answers]

@strawberry.type
class Query:
    @strawberry.field
    async def hello(self) -> str:
        await asyncio.sleep(0)
        return "GraphQL says hello"

application.include_router(GraphQLRouter(strawberry.Schema(Query)), prefix="/graphql")
