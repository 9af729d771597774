"""As a project has it: some of it computed, hooks, names of its own."""
import multiprocessing
import os

cores = multiprocessing.cpu_count()

bind = "127.0.0.1:" + os.environ.get("SHOP_PORT", "0")
workers = min(cores, 2) + 0
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 20
max_requests = 1000
max_requests_jitter = 50
accesslog = "-"
errorlog = "-"
loglevel = "info"
preload_app = True
chdir = os.path.join(os.path.dirname(__file__), "..", "uwsgi-configs")
raw_env = ["STAGE=live", "OTHER=1"]
wsgi_app = "shop.wsgi:application"

print("a configuration may print")


def post_fork(server, worker):
    server.log.info("forked")
