"""Makes copies of its process by os.fork() in coroutines, tasks, threads and behind a response, which end in
every way; a path is PLACE/END."""
import asyncio
import concurrent.futures
import multiprocessing
import os
import subprocess
import sys

executor = concurrent.futures.ThreadPoolExecutor(1)
# What the copies have ended with that were made behind a response.
behind = []


def ending(copy):
    status = os.waitpid(copy, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 256 + os.WTERMSIG(status)


def end(how):
    """What a copy does that awaits nothing."""
    print(f"copy {how}")
    if how == "exit":
        sys.exit()
    if how == "exit3":
        sys.exit(3)
    if how == "exit_text":
        sys.exit("why the copy ends")
    if how == "raise":
        raise ValueError("in the copy")
    if how == "caught":
        try:
            raise ValueError("in the copy, and caught")
        except ValueError:
            return None
    if how == "os_exit":
        os._exit(7)
    if how == "exec":
        os.execv("/bin/sh", ["sh", "-c", "exit 4"])
    if how == "own_loop":
        async def late():
            await asyncio.sleep(0.01)
            return 9
        sys.exit(asyncio.run(late()))
    if how == "again":
        sys.exit(ending(os.fork() or os._exit(2)))
    return "returned"


async def end_in_coroutine(how, send):
    if how == "sleep":
        await asyncio.sleep(0)
    if how == "wait":
        await asyncio.get_running_loop().create_future()
    if how == "send":
        await answer(send, "from the copy")
    return end(how)


async def in_coroutine(how, send):
    copy = os.fork()
    if copy == 0:
        return await end_in_coroutine(how, send)
    return ending(copy)


def in_thread(how):
    copy = os.fork()
    return end(how) if copy == 0 else ending(copy)


def double(number):
    return number * 2


def libraries(method):
    if method == "subprocess":
        done = subprocess.run(["/bin/sh", "-c", "echo out; exit 5"], capture_output=True,
                              preexec_fn=lambda: None)
        return f"{done.stdout.decode().strip()} {done.returncode} {os.system('exit 6') >> 8}"
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        text = str(sum(pool.map(double, range(10))))
    process = context.Process(target=sys.exit, args=(6,))
    process.start()
    process.join()
    return f"{text} {process.exitcode}"


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": str(text).encode()})


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("HTTP alone")
    place, how = scope["path"].split("/")[1], scope["path"].split("/")[-1]
    if place == "coroutine":
        copy = os.fork()
        if copy == 0:
            return await end_in_coroutine(how, send)
        text = ending(copy)
    elif place == "nested":
        text = await in_coroutine(how, send)
    elif place == "task":
        text = await asyncio.create_task(in_coroutine(how, send))
    elif place == "thread":
        text = await asyncio.to_thread(in_thread, how)
    elif place == "executor":
        text = await asyncio.get_running_loop().run_in_executor(executor, in_thread, how)
    elif place == "libraries":
        text = libraries(how)
    elif place == "libraries_in_thread":
        text = await asyncio.to_thread(libraries, how)
    elif place == "behind":
        await answer(send, "soon")
        copy = os.fork()
        if copy == 0:
            return await end_in_coroutine(how, send)
        behind.append(ending(copy))
        return None
    elif place == "plain":
        text = "plain"
    else:
        await asyncio.sleep(0.01)
        text = f"{behind}"
    await answer(send, text)
