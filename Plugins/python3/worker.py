# What the interpreter's program runs as a worker, given with -c, followed by a line that calls serve() for
# the first argument, or by zygote.py: it loads the worker library and leaves the rest to it. Modules must not
# come from the directory in which the program was started, which would otherwise be the first one.
import sys
if sys.path and not sys.path[0]: del sys.path[0]

def serve(library):
    import _imp
    from importlib.machinery import ExtensionFileLoader, ModuleSpec
    loader = ExtensionFileLoader("nsgi_worker", library)
    try:
        worker = _imp.create_dynamic(ModuleSpec("nsgi_worker", loader, origin=library))
    except ImportError as error:
        sys.stderr.write(f"server: {sys.executable} cannot load the server ({error}); use --embed\n")
        sys.exit(22)
    worker.serve()

