# Copies of the process that ASGI applications make by os.fork(), in a coroutine or on a thread of an
# executor. The event loop and the executor's queue belong to the parent: a copy ends where the code that made
# it ends or awaits, before loop or queue goes on. With any loop, nothing else runs in between, so that code's
# frame is traced. All of this is part of the module of serving.py.
import opcode, os, sys

# Modules whose frames are below those of an application: on the loop's thread, and on threads of executors.
OWN = "_nsgi_asgi"
EXECUTORS = {"concurrent.futures.thread", "anyio._backends._asyncio", "asgiref.current_thread_executor"}

# This process is such a copy.
isCopy = False

def watch_forks(loop):
    '''Handles forks from now on; call it once, for the loop of the worker.'''
    os.register_at_fork(after_in_child=lambda: enter_copy(loop, sys._getframe(1)))

def enter_copy(loop, frame):
    '''Runs in the copy, before os.fork() returns to this frame.'''
    global isCopy
    if isCopy:
        return
    isCopy = True
    # The set that it waits with is shared with the parent. libuv closes that of uvloop.
    selector = getattr(loop, "_selector", None)
    if selector is not None:
        selector.close()
    work = frame_of_work(frame)
    if work is not None:
        follow(work)

def frame_of_work(frame):
    '''The outermost frame inside the loop or an executor that is not theirs, or the innermost of these; None
    on a thread of the application's own, which ends as threads do. The thread that leads the loop may have
    frames of the interpreter's own program below.'''
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    isOurs, found = False, None
    for found in reversed(frames):
        name = found.f_globals.get("__name__") or ""
        isOurs = isOurs or name == OWN or name in EXECUTORS
        isTheirs = name in (OWN, "threading") or name in EXECUTORS or name.partition(".")[0] == "asyncio"
        if isOurs and not isTheirs:
            break
    return found if isOurs else None

def follow(work):
    '''Makes the process end with this frame: where it returns, raises, or gives way to the loop.'''
    before, raised = sys.gettrace(), None
    def trace_calls(frame, event, argument):
        process = sys.modules.get("multiprocessing.process")
        if process is not None and frame.f_code is process.BaseProcess._bootstrap.__code__:
            # It never returns, and need not be slowed down.
            sys.settrace(before)
        return before(frame, event, argument) if before is not None else None
    def trace_work(frame, event, argument):
        nonlocal raised
        if event == "exception":
            raised = argument[1].with_traceback(argument[2])
        elif event == "return":
            this, following = operations(frame)
            if this.startswith("RETURN"):
                leave(None)
            elif this == "YIELD_VALUE" or following == "YIELD_FROM":
                leave_waiting(frame)
            else:
                leave(raised or RuntimeError("an exception that is not known"))
        return trace_work
    work.f_trace, work.f_trace_lines = trace_work, False
    sys.settrace(trace_calls)

def operations(frame):
    '''A frame's last instruction, and the one after it: until Python 3.10 an await goes back by one.'''
    code, at = frame.f_code.co_code, frame.f_lasti
    return [opcode.opname[one] for one in (code[at:at + 4:2] + b"\0")[:2]]

def leave(error):
    '''Ends a copy as the interpreter's own process would end.'''
    sys.settrace(None)
    status = 0
    try:
        for stream in sys.stdout, sys.stderr:
            stream.flush()
        if isinstance(error, SystemExit):
            status = exit_status(error)
        elif error is not None:
            status = 1
            trace, sentence = describe(error)
            say("error", f"a copy of the process, made by os.fork(), failed:\n{trace or sentence}")
    finally:
        native.asgi_leave(status)

def leave_waiting(frame):
    try:
        say("error", "a copy of the process, made by os.fork(), awaits something, and ends: the event loop "
            f"is its parent's. It is in {frame.f_code.co_filename}, line {frame.f_lineno}; call "
            "asyncio.run() in the copy for a loop of its own")
    finally:
        leave(SystemExit(1))
