# What `-w` finds: applications of each interface, and what is none. (NGINX Unit and granian try the same.)
import asyncio, functools, os, time
from asgi_app import answer

async def function(scope, receive, send):
    assert scope["type"] == "http", "only HTTP is served"
    await answer(send, "function")

class Instance:
    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await answer(send, "instance")

instance = Instance()
method = Instance().__call__
partial = functools.partial(function)

class Awaited:
    '''An object for each request, which is awaited.'''
    def __init__(self, scope, receive, send):
        self.send, self.scope = send, scope
    def __await__(self):
        assert self.scope["type"] == "http"
        return answer(self.send, "awaited").__await__()

def plain(scope, receive, send):
    '''No coroutine function, but a call of it can be awaited.'''
    return function(scope, receive, send)

def make(words="made"):
    async def made(scope, receive, send):
        await answer(send, words)
    return made

class Double:
    '''ASGI 2.'''
    def __init__(self, scope):
        self.scope = scope
    async def __call__(self, receive, send):
        await answer(send, "double")

def double(scope):
    async def instance(receive, send):
        await answer(send, "double")
    return instance

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi"]

def lifespan(answers):
    '''An application whose lifespan answers so.'''
    async def application(scope, receive, send):
        if scope["type"] != "lifespan":
            return await answer(send, "served")
        assert (await receive())["type"] == "lifespan.startup"
        await answers(scope, receive, send)
    return application

@lifespan
async def startup_fails(scope, receive, send):
    await send({"type": "lifespan.startup.failed", "message": "there is no database"})

@lifespan
async def startup_hangs(scope, receive, send):
    await asyncio.sleep(3600)

@lifespan
async def startup_blocks(scope, receive, send):
    time.sleep(20)

@lifespan
async def startup_returns(scope, receive, send):
    pass

@lifespan
async def startup_out_of_order(scope, receive, send):
    await send({"type": "lifespan.shutdown.complete"})

@lifespan
async def ends_early(scope, receive, send):
    await send({"type": "lifespan.startup.complete"})
    raise RuntimeError("the pool is gone")

@lifespan
async def shutdown_fails(scope, receive, send):
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "the pool is stuck"})

@lifespan
async def shutdown_hangs(scope, receive, send):
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await asyncio.sleep(3600)

@lifespan
async def fails_by_version(scope, receive, send):
    with open(os.environ["ASGI_VERDICT"]) as file:
        verdict = file.read().strip()
    await send({"type": f"lifespan.startup.{verdict}", "message": "the version is a bad one"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def versioned(scope, receive, send):
    if scope["type"] == "lifespan":
        return await fails_by_version(scope, receive, send)
    await answer(send, "served")
