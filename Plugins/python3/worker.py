# What the interpreter's program runs as a worker, given with -c, with a line behind it that calls serve() for
# the first argument, or with zygote.py: it loads the worker library and leaves the rest to it. The directory
# in which the program was started is no place for modules: it would be the first one otherwise.
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

