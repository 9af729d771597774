# FastAPI: models, dependencies, sync and async endpoints, errors, uploads, background tasks, GraphQL, and
# asynchronous clients inside requests: httpx, aiohttp, SQLAlchemy.
import asyncio
from contextlib import asynccontextmanager

import aiohttp, httpx, strawberry
from fastapi import BackgroundTasks, Depends, FastAPI, File, HTTPException, Request, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import StaticPool
from strawberry.fastapi import GraphQLRouter

done = []

class Base(DeclarativeBase):
    pass

class Word(Base):
    __tablename__ = "words"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(30))

@asynccontextmanager
async def lifespan(app):
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    app.state.session = async_sessionmaker(engine, expire_on_commit=False)
    async with aiohttp.ClientSession(trust_env=False) as app.state.client:
        app.state.ready = True
        yield
        app.state.ready = False
    await engine.dispose()

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

@application.get("/aiohttp")
async def other_client(url: str):
    async def ask(number):
        async with application.state.client.get(f"{url}/sync/{number}") as answer:
            return (await answer.json())["number"]
    return await asyncio.gather(*(ask(number) for number in range(3)))

@application.get("/database/{text}")
async def database(text: str):
    async with application.state.session() as session:
        session.add(Word(text=text))
        await session.commit()
        found = (await session.scalars(select(Word.text).where(Word.text == text))).all()
    return sorted(set(found))

@strawberry.type
class Query:
    @strawberry.field
    async def hello(self) -> str:
        await asyncio.sleep(0)
        return "GraphQL says hello"

application.include_router(GraphQLRouter(strawberry.Schema(Query)), prefix="/graphql")
