"""Unit tests of Plugins/python3/bootstrap.py, which run without a server: bootstrap_test.py BOOTSTRAP.PY"""
import functools
import io
import os
import sys
import tempfile
import types
import unittest


def start(path):
    """Runs the file as the plugin does; the log lines are kept."""
    module = types.ModuleType("_nsgi")
    module.lines = []
    module.log = lambda level, data: module.lines.append((level, bytes(data))) or len(data)
    module.facts = (1, 7, "test")
    module.reload = lambda path: None
    streams = sys.stdout, sys.stderr
    try:
        with open(path, encoding="utf-8") as file:
            exec(compile(file.read(), path, "exec"), module.__dict__)
    finally:
        sys.stdout, sys.stderr = streams
    return module


class Stacks(unittest.TestCase):
    def test_what_a_thread_is_in(self):
        import threading
        found = own.stack(threading.get_ident()).splitlines()
        self.assertEqual(found[0], "Stack (most recent call first):")
        self.assertTrue(found[1].endswith(" in stack"))
        self.assertTrue(found[2].endswith(" in test_what_a_thread_is_in"))
        self.assertEqual(own.stack(1).splitlines(), found[:1])


class Kinds(unittest.TestCase):
    """Which interface an application has."""
    def test_what_is_awaited_is_asgi(self):
        async def function(scope, receive, send):
            pass

        class Instance:
            async def __call__(self, scope, receive, send):
                pass

        class Awaited:
            def __init__(self, scope, receive, send):
                pass

            def __await__(self):
                yield

        async def any(*arguments):
            pass
        bound = functools.partial(lambda own, scope, receive, send: None, None)
        partial = functools.partial(function)
        for target in function, Instance(), Instance().__call__, Awaited, any, partial, bound:
            self.assertEqual(own.kind(target, None, "m:a", "-w"), "asgi", target)

    def test_all_else_is_wsgi(self):
        class Wrapped:
            def __init__(self, environ, start_response):
                pass

            def __iter__(self):
                return iter(())
        for target in (lambda environ, start_response: [], lambda *arguments: [], Wrapped, print,
                       lambda environ, start_response, more=None: [], lambda environ, *more: []):
            self.assertEqual(own.kind(target, None, "m:a", "-w"), "wsgi", target)

    def test_what_is_asked_for_is_held(self):
        async def function(scope, receive, send):
            pass
        for target, wanted in (function, "wsgi"), (lambda environ, start_response: [], "asgi"):
            words = f"m:a is an? .* and --{wanted} asks for {wanted.upper()}"
            with self.assertRaisesRegex(own.CannotLoad, words):
                own.kind(target, wanted, "m:a", f"--{wanted}")
        self.assertEqual(own.kind(print, "asgi", "m:a", "--asgi"), "asgi")

    def test_the_second_version_is_refused(self):
        class Double:
            def __init__(self, scope):
                pass

            async def __call__(self, receive, send):
                pass
        for target in Double, lambda scope: None:
            with self.assertRaisesRegex(own.CannotLoad, "takes one argument, as applications of ASGI 2 do"):
                own.kind(target, None, "m:a", "-w")


class Preloading(unittest.TestCase):
    def test_what_was_loaded_is_taken_once(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/preloaded_module.py", "w", encoding="utf-8") as file:
                file.write("import nsgi\nranks = []\ndef application(environ, start): pass\n"
                           "nsgi.post_load(lambda: ranks.append('loaded'))\n"
                           "nsgi.post_fork(lambda: ranks.append(nsgi.worker_id))\n")
            path, modules, facts = list(sys.path), set(sys.modules), own.facts
            try:
                own.facts = (None, 7, "test")
                own.settle()
                wanted = "preloaded_module", None, None, None, [folder]
                self.assertIsNone(own.preload(*wanted))
                ranks = sys.modules["preloaded_module"].ranks
                self.assertEqual(ranks, ["loaded"])
                error = own.preload("no_such_module_here", None, None, None, [folder])
                self.assertIsInstance(error, own.CannotLoad)
                own.facts, own.there = (3, 8, "test"), folder
                before = os.getcwd()
                own.settle()
                self.assertEqual(os.getcwd(), os.path.realpath(folder))
                os.chdir(before)
                self.assertEqual((own.told.worker_id, own.told.generation), (3, 8))
                found = own.load(*wanted)
                self.assertIs(found[0], sys.modules["preloaded_module"].application)
                own.run_hooks()
                self.assertEqual(ranks, ["loaded", 3])
                # A second one finds nothing that was loaded before.
                self.assertEqual(own.load(*wanted)[2], "preloaded_module:application")
            finally:
                own.facts, own.there, sys.path[:] = facts, None, path
                own.settle()
                for name in set(sys.modules) - modules:
                    del sys.modules[name]


class Finding(unittest.TestCase):
    def test_a_file_and_a_name_in_it(self):
        self.assertEqual(own.split_file("blog.py"), ("blog.py", ""))
        self.assertEqual(own.split_file("blog.py:app"), ("blog.py", "app"))
        self.assertEqual(own.split_file("a/b.py:make('x:y')"), ("a/b.py", "make('x:y')"))
        self.assertEqual(own.split_file("9:9"), ("9:9", ""))

    def test_calls_with_literals(self):
        made = own.parse_call("make('prod', debug=True)", "m")
        self.assertEqual(made, ("make", ["prod"], {"debug": True}))
        made = own.parse_call("a.b.make([1, {'k': None}])", "m")
        self.assertEqual(made, ("a.b.make", [[1, {"k": None}]], {}))

    def test_calls_that_are_not_literals_are_refused(self):
        for call in "make(os.getcwd())", "make(**{})", "make(x)", "make(", "f()()", "[1]()", "f(lambda: 1)":
            with self.assertRaises(own.CannotLoad, msg=call):
                own.parse_call(call, "m")

    def test_what_is_missing_is_told_with_what_is_there(self):
        module = types.SimpleNamespace(app=lambda environ, start: [])
        with self.assertRaisesRegex(own.CannotLoad, r"m has no application: write -w m:app"):
            own.resolve(module, "application", "m", "m", "-w")

    def test_arguments_that_do_not_fit_are_refused_before_the_call(self):
        module = types.SimpleNamespace(make=lambda one: self.fail("called"))
        with self.assertRaisesRegex(own.CannotLoad, "does not fit its parameters"):
            own.resolve(module, "make(1, 2)", "m", "m", "-w")

    def test_a_factory_that_gives_nothing_to_call(self):
        module = types.SimpleNamespace(make=lambda: 5)
        with self.assertRaisesRegex(own.CannotLoad, "returned a int"):
            own.resolve(module, "make()", "m", "m", "-w")


class Describing(unittest.TestCase):
    def test_the_source_of_what_is_called(self):
        def plain():
            pass

        class Callable:
            def __call__(self):
                pass

        line = plain.__code__.co_firstlineno
        self.assertEqual(own.source(functools.partial(functools.partial(plain))), (__file__, line))
        self.assertEqual(own.source(Callable()), (__file__, Callable.__call__.__code__.co_firstlineno))
        self.assertIsNone(own.source(len))

    def test_a_reason_that_is_whole_has_no_traceback(self):
        self.assertEqual(own.describe(own.CannotLoad("why")), ("", "why"))

    def test_a_traceback_begins_with_the_application(self):
        try:
            int("x")
        except ValueError as error:
            text, sentence = own.describe(error)
        self.assertIn("bootstrap_test.py", text)
        self.assertEqual(sentence, "ValueError: invalid literal for int() with base 10: 'x'")

    def test_exit_status(self):
        for code, status in (None, 0), (3, 3), (256, 0), (-1, 255):
            self.assertEqual(own.exit_status(SystemExit(code)), status)


class Files(unittest.TestCase):
    def test_only_bytes_that_read_would_give_are_sent_by_the_server(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0123456789")
            file.seek(4)
            self.assertEqual(own.plain_file(file), (file.fileno(), 4))
            with open(file.name) as text:
                self.assertIsNone(own.plain_file(text))
            with open(file.name, "rb", buffering=0) as raw:
                raw.read(3)
                self.assertEqual(own.plain_file(raw), (raw.fileno(), 3))
        self.assertIsNone(own.plain_file(io.BytesIO(b"x")))

    def test_the_wrapper_reads_in_blocks_and_closes_only_what_can(self):
        self.assertEqual(list(own.FileWrapper(io.BytesIO(b"abcde"), 2)), [b"ab", b"cd", b"e"])
        self.assertFalse(hasattr(own.FileWrapper(types.SimpleNamespace(read=lambda size: b"")), "close"))


class Server(unittest.TestCase):
    def test_lines_of_the_module(self):
        import nsgi
        self.assertEqual((nsgi.worker_id, nsgi.generation, nsgi.version), (1, 7, "test"))
        nsgi.log("a \udc80", "warning")
        self.assertEqual(own.lines[-1], (3, b"a \\udc80\n"))
        with self.assertRaises(ValueError):
            nsgi.log("x", "loud")

    def test_nobody_takes_the_log_from_others(self):
        own.errors.write("before ")
        own.errors.close()
        own.errors.close()
        self.assertFalse(own.errors.closed)
        self.assertEqual(own.errors.write("behind\0\ud800\n"), 9)
        for wrong in b"bytes", None, 5:
            with self.assertRaises(TypeError):
                own.errors.write(wrong)
        self.assertEqual(b"".join(text for _, text in own.lines[-2:]), b"before behind\0\\ud800\n")
        self.assertEqual(own.lines[-1][0], 4)

    def test_hooks_run_once_in_their_order(self):
        import nsgi
        seen = []
        nsgi.post_load(lambda: seen.append(1))
        nsgi.post_load(lambda: seen.append(2))
        own.run_hooks()
        own.run_hooks()
        self.assertEqual(seen, [1, 2])


if __name__ == "__main__":
    own = start(sys.argv.pop())
    unittest.main()
