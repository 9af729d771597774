"""my_app, an application in FastAPI: `make serve` starts it."""
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI(title="my_app")


@app.get("/", response_class=PlainTextResponse)
async def hello():
    return "Hello World!\n"
