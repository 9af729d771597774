# Tests of the module uwsgi without a server: locks, signals, times.
import errno
import os
import select
import signal
import sys
import time
import types
import unittest

from uwsgi_units import FIRST, lines

import _nsgi as nsgi
import _uwsgi_clock as clock
import _uwsgi_shared as shared
import _uwsgi_signals as signals
import uwsgi


class Places(unittest.TestCase):
    def test_the_first_cache_is_where_the_server_has_it(self):
        self.assertEqual(shared.FIRST_CACHE, FIRST)

    def test_options(self):
        self.assertEqual(uwsgi.opt["processes"], b"2")
        self.assertEqual(uwsgi.opt["a"], [b"b", b"c"])
        self.assertIs(uwsgi.opt["vacuum"], True)
        self.assertNotIn("master", uwsgi.opt)
        with self.assertRaisesRegex(RuntimeError, "leave out no-master"):
            uwsgi.reload()


class Locks(unittest.TestCase):
    def test_a_process_that_is_killed_holds_none(self):
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            uwsgi.lock(2)
            os.write(writing, b"x")
            time.sleep(100)
        os.read(reading, 1)
        self.assertTrue(uwsgi.is_locked(2))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        uwsgi.lock(2)
        self.assertTrue(uwsgi.is_locked(2))
        uwsgi.unlock(2)
        self.assertFalse(uwsgi.is_locked(2))

    def test_a_thread_does_not_wait_for_itself(self):
        uwsgi.lock(1)
        with self.assertRaisesRegex(RuntimeError, "holds the lock already"):
            uwsgi.lock(1)
        uwsgi.unlock(1)
        with self.assertRaisesRegex(RuntimeError, "is not held"):
            uwsgi.unlock(1)

    def test_what_the_kernel_takes_for_a_deadlock_is_waited_for(self):
        taken = []
        before = shared.fcntl.lockf

        def lockf(*arguments):
            taken.append(arguments)
            if len(taken) < 3:
                raise OSError(errno.EDEADLK, "")
            return before(*arguments)
        shared.fcntl.lockf = lockf
        try:
            uwsgi.lock(4)
        finally:
            shared.fcntl.lockf = before
        uwsgi.unlock(4)
        self.assertEqual(len(taken), 3)


class Times(unittest.TestCase):
    def setUp(self):
        self.rung = []
        self.before = signals.send
        signals.send = self.rung.append
        clock.timers[:], clock.crons[:], clock.monitors[:] = [], [], []
        shared.memory[shared.TIMERS:shared.FIRST_CACHE] = bytes(shared.FIRST_CACHE - shared.TIMERS)

    def tearDown(self):
        signals.send = self.before

    def test_a_timer_goes_on_where_the_worker_before_has_left_it(self):
        clock.add_timer(7, 10)
        self.assertEqual(clock.ring_timers(1000.0), 1001.0)
        self.assertEqual(clock.ring_timers(1009.0), 1010.0)
        self.assertEqual(self.rung, [])
        clock.ring_timers(1010.5)
        self.assertEqual(self.rung, [7])
        self.assertEqual(clock.ring_timers(1019.0), 1020.0)
        # Nobody had the clock for a while: once, and then as before.
        clock.ring_timers(1055.0)
        self.assertEqual(self.rung, [7, 7])
        self.assertEqual(clock.ring_timers(1059.5), 1060.0)

    def test_a_timer_with_an_end(self):
        clock.add_timer(8, 1, 2)
        for now in range(100, 110):
            clock.ring_timers(float(now))
        self.assertEqual(self.rung, [8, 8])
        nsgi.facts = (0, 2, "test")
        for now in range(110, 120):
            clock.ring_timers(float(now))
        nsgi.facts = (0, 1, "test")
        self.assertEqual(self.rung, [8] * 4)

    def test_whatever_stands_there_is_a_time_or_none(self):
        clock.add_timer(7, 10)
        for byte in range(256):
            shared.memory[shared.TIMERS:shared.TIMERS + 32] = bytes([byte]) * 32
            self.assertLessEqual(clock.ring_timers(1000.0), 1010.0)

    def test_minutes(self):
        def at(text):
            return time.strptime(text, "%Y-%m-%d %H:%M")
        sunday, monday = at("2026-11-29 13:20"), at("2026-11-30 13:21")
        for fields, expected in [
                ((-1, -1, -1, -1, -1), (True, True)), ((20, -1, -1, -1, -1), (True, False)),
                ((-10, -1, -1, -1, -1), (True, False)), ((-1, 13, -1, 11, 0), (True, False)),
                ((-1, -1, -1, -1, 7), (True, False)), ((-1, -1, 30, -1, 0), (True, True)),
                ((-1, -1, 31, -1, 3), (False, False))]:
            self.assertEqual((clock.fits(fields, sunday), clock.fits(fields, monday)), expected, fields)

    def test_a_minute_comes_once_whoever_has_the_clock(self):
        clock.add_cron(9, -1, -1, -1, -1, -1)
        before = time.time
        try:
            for now in (6000, 6030, 6059, 6060, 6061, 6119, 6120):
                time.time = lambda: float(now)
                clock.ring_crons()
        finally:
            time.time = before
        self.assertEqual(self.rung, [9, 9])

    def test_a_minute_that_the_clock_is_set_back_to_has_been(self):
        clock.add_cron(9, -1, -1, -1, -1, -1)
        before, rung = time.time, []
        try:
            for minute in (1000, 1001, 990, 1001, 1002, 1002 - 180, 1002 - 181, 1002 - 181):
                time.time = lambda: 60.0 * minute
                clock.ring_crons()
                rung.append(len(self.rung))
        finally:
            time.time = before
        # So far back it was wrong before.
        self.assertEqual(rung, [0, 1, 1, 1, 2, 2, 3, 3])

    def test_days_and_months_begin_at_one(self):
        for fields in (-1, -1, 0, -1, -1), (-1, -1, -1, 0, -1), (60, -1, -1, -1, -1), (-1, -1, 32, -1, -1):
            with self.assertRaises(ValueError):
                clock.add_cron(9, *fields)
        clock.add_cron(9, 0, 0, 1, 1, 0)

    def test_a_monitor_tells_a_change_that_came_between_two_workers(self):
        path = os.path.join(sys.argv[2], "watched")
        with open(path, "w") as file:
            file.write("one")
        clock.add_monitor(11, path)
        clock.look_at_files()
        clock.look_at_files()
        self.assertEqual(self.rung, [])
        with open(path, "w") as file:
            file.write("two words")
        clock.look_at_files()
        clock.look_at_files()
        self.assertEqual(self.rung, [11])


class Signals(unittest.TestCase):
    def setUp(self):
        self.runs = []
        uwsgi.register_signal(5, "", self.runs.append)
        del lines[:]
        signals.complaints.clear()
        signals.leave_reading, end = os.pipe2(os.O_NONBLOCK)
        for one in signals.leave_reading, end:
            self.addCleanup(os.close, one)

    def hold(self):
        '''A process that runs the handler of signal 5.'''
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            signals.handler_locks[5].acquire()
            os.write(writing, b"x")
            time.sleep(100)
        os.read(reading, 1)
        self.addCleanup(self.end, pid)
        return pid

    def end(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except ProcessLookupError:
            pass

    def test_what_comes_while_the_handler_runs_elsewhere_is_not_waited_for_and_not_lost(self):
        pid = self.hold()
        for _ in range(3000):
            self.assertFalse(signals.take(5))
        self.assertEqual((self.runs, signals.count_of(5)), ([], 3000))
        self.assertTrue(signals.is_busy(5))
        pauses = []

        class Poll:
            def register(self, *_):
                pass

            def poll(self, milliseconds):
                pauses.append(milliseconds)
                if len(pauses) == 4:
                    signals.is_leaving.set()
        before, signals.select = signals.select, types.SimpleNamespace(poll=Poll, POLLIN=select.POLLIN)
        try:
            signals.hear_signals()
        finally:
            signals.select = before
            signals.is_leaving.clear()
        self.assertEqual(pauses, [1000] * 4)
        # That process dies: whoever looks next goes on, one after the other.
        self.end(pid)
        self.assertTrue(signals.run_waiting())
        self.assertEqual((self.runs, signals.count_of(5)), ([5], 2999))
        while signals.run_waiting():
            pass
        self.assertEqual(self.runs, [5] * 3000)
        self.assertFalse(signals.is_busy(5))

    def test_what_comes_as_the_handler_ends_elsewhere_runs_here(self):
        class Late:
            def __init__(self):
                self.answers = [False, True]

            def acquire(self, wait):
                return self.answers.pop(0)

            def release(self):
                pass
        before, signals.handler_locks[5] = signals.handler_locks[5], Late()
        try:
            self.assertTrue(signals.take(5))
        finally:
            signals.handler_locks[5] = before
        self.assertEqual((self.runs, signals.count_of(5)), ([5], 0))

    def test_one_who_leaves_wakes_another_for_what_waits(self):
        pid = self.hold()
        signals.take(5)
        signals.take(5)
        signals.hand_on()
        self.assertEqual((os.read(signals.reading, 10), signals.count_of(5)), (b"\5", 1))
        self.end(pid)
        signals.run_waiting()

    def test_a_copy_that_a_handler_makes_ends_with_the_handler(self):
        for error, status in (None, 0), (SystemExit(3), 3), (ValueError("in the copy"), 1):
            copies = []

            def handler(number):
                copies.append(os.fork())
                if not copies[0] and error is not None:
                    raise error
            uwsgi.register_signal(7, "", handler)
            signals.run(7)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(copies[0], 0)[1]), status)

    def test_what_is_lost_is_told_once(self):
        pid = self.hold()
        signals.COUNT.pack_into(shared.memory, signals.WAITING + 4 * 5, signals.MOST_WAITING)
        for _ in range(3):
            signals.take(5)
        self.assertEqual("".join(lines).count("signal 5 is lost: 65536 of it wait already"), 1)
        signals.COUNT.pack_into(shared.memory, signals.WAITING + 4 * 5, 0)
        self.end(pid)
        uwsgi.register_signal(6, "workers", self.runs.append)
        heard = signals.SEQUENCE.unpack_from(shared.memory, signals.BROADCASTS)[0]
        for _ in range(300):
            uwsgi.signal(6)
        os.read(signals.reading, 1000)
        signals.hear_broadcasts(heard or 1)
        self.assertEqual("".join(lines).count("more than 256 for workers came while it was busy"), 1)
        self.assertEqual(self.runs, [6] * 256)
        signals.complaints.clear()
        for _ in range((1 << 16) + 1):
            uwsgi.signal(5)
        for _ in range(3):
            uwsgi.signal(5)
        self.assertEqual("".join(lines).count("the workers have too many that wait"), 1)
        os.read(signals.reading, 1 << 16)


# The functions of uWSGI 2.0 and 2.1's module, with and without its optional parts.
NAMES = """
    accepting add_cron add_file_monitor add_ms_timer add_rb_timer add_timer add_var alarm async_connect
    async_sleep cache_clear cache_dec cache_del cache_div cache_exists cache_get cache_inc cache_keys
    cache_mul cache_num cache_set cache_update call chunked_read chunked_read_nb cl close connect
    connection_fd disconnect embedded_data extract farm_get_msg farm_msg get_logvar green_schedule
    headers_sent i_am_the_lord i_am_the_spooler in_farm install_mule_msg_hook is_connected is_locked
    listen_queue lock log log_this_request logsize lord_scroll masterpid mem metric_dec metric_div
    metric_get metric_inc metric_mul metric_set metric_set_max metric_set_min micros mule_get_msg
    mule_id mule_msg mule_msg_recv_size offload parsefile queue_get queue_last queue_pop queue_pull
    queue_pull_slot queue_push queue_set queue_slot ready ready_fd recv register_rpc register_signal
    reload request_id route rpc rpc_list scrolls send send_to_spooler sendfile set_logvar
    set_spooler_frequency set_user_harakiri set_warning_message setprocname sharedarea_dec16
    sharedarea_inc64 sharedarea_memoryview sharedarea_object sharedarea_read sharedarea_read32
    sharedarea_readfast sharedarea_rlock sharedarea_unlock sharedarea_update sharedarea_wait
    sharedarea_wlock sharedarea_write signal signal_received signal_registered signal_wait
    snmp_set_community snmp_set_counter32 snmp_set_counter64 snmp_set_gauge sorry_i_need_to_block spool
    spooler_get_task spooler_jobs spooler_pid spooler_pids stop suspend total_requests unlock
    wait_fd_read wait_fd_write websocket_handshake websocket_recv websocket_recv_nb websocket_send
    websocket_send_binary websocket_send_binary_from_sharedarea websocket_send_from_sharedarea worker_id
    workers
"""


class Names(unittest.TestCase):
    def test_what_is_not_there_says_what_to_use(self):
        for name in ("ready_fd", "request_context", "chunked_read_nb", "spooler_jobs", "mule_get_msg",
                     "rpc_list", "sharedarea_read8", "metric_set_max", "in_farm",
                     "add_ms_timer", "wait_fd_read"):
            with self.assertRaisesRegex(NotImplementedError, f"uwsgi.{name} is not there in this server"):
                getattr(uwsgi, name)()
        self.assertEqual((uwsgi.unbit, uwsgi.mode, uwsgi.spoolers), (False, None, ()))

    def test_every_function_of_uwsgis_is_there_or_says_what_to_use(self):
        for name in NAMES.split():
            found = getattr(uwsgi, name)
            self.assertTrue(callable(found), name)
            if name in vars(uwsgi):
                continue
            with self.assertRaisesRegex(NotImplementedError, f"uwsgi.{name} is not there in this server: ."):
                found()
        with self.assertRaisesRegex(AttributeError, "no attribute 'no_such_name'"):
            uwsgi.no_such_name

    def test_values_are_those_of_the_configuration_or_say_what_to_use(self):
        self.assertEqual(uwsgi.buffer_size, 32768)
        self.assertEqual(uwsgi.pidfile, b"/run/x.pid")
        for name in "magic_table", "sockets", "env", "start_response", "applist", "fastfuncs":
            self.assertFalse(hasattr(uwsgi, name), name)
            self.assertEqual(getattr(uwsgi, name, 5), 5)
            with self.assertRaisesRegex(NotImplementedError, f"uwsgi.{name} is not there in this server: ."):
                getattr(uwsgi, name)

    def test_a_function_may_be_for_one_worker(self):
        import uwsgidecorators
        calls, before = [], len(shared.at_fork)
        for number in 0, shared.worker, shared.worker + 1:
            uwsgidecorators.postfork(number)(lambda number=number: calls.append(number))
        uwsgidecorators.postfork(lambda: calls.append("each"))
        for call in shared.at_fork[before:]:
            call()
        del shared.at_fork[before:]
        self.assertEqual(calls, [0, shared.worker, "each"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
