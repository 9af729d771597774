# The verbs of the project; `make help` lists them. Everything lands below .build.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build plugins apps test check format lint swap-proof fleet-proof fleet-sim drills soak leaks tidy fuzz
.PHONY: examples bench bench-static bench-quick bench-swap bench-crashes bench-preload bench-autoreload bench-dispatch
.PHONY: bench-budget bench-wsgi bench-asgi bench-websocket bench-front-door bench-history bench-compare tsan asan stress clean
.PHONY: install dist deb rpm wheel image site release
.PHONY: test-fresh test-packages test-python-next test-reproducible test-languages
.PHONY: test-browser test-tls test-h2spec test-autobahn

# The command that `make run` starts; other apps and sockets: make run APP=.build/apps/environ.so HTTP=:8090
APP ?= .build/apps/hello_world_app.so
HTTP ?= 127.0.0.1:8080
SCGI ?= 127.0.0.1:8081

SWIFT_SOURCES := Package.swift Sources Plugins Tests apps/hello_swift apps/sse templates/swift/Sources

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

run: ## build and serve the hello world app on 127.0.0.1:8080 (HTTP) and 8081 (SCGI)
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@echo "Browser: http://$(HTTP)/    curl: curl http://$(HTTP)/"
	@echo "lighttpd in front (SCGI at $(SCGI)): lighttpd -D -f docs/deploy/lighttpd/quick-start.conf, then http://127.0.0.1:8000/"
	@exec .build/release/server --app $(APP) --http-socket $(HTTP) --scgi-socket $(SCGI)

build: ## build the server (.build/release/server), and what reads YAML, XML and JSON for it
	@scripts/install.sh build
	swift build -c release --product server
	swift build -c release --product config_reader
	swift build -c release --product nsgi_tls

plugins: ## build the runtimes beside the server (.build/release/lib{python3,ffi}_plugin.so, libnsgi_worker.so)
	@scripts/install.sh plugins
	swift build -c release --product python3_plugin
	swift build -c release --product nsgi_worker
	swift build -c release --product ffi_plugin

apps: ## build every example app to .build/apps/NAME.so
	@scripts/install.sh apps
	@$(MAKE) --no-print-directory -f apps/Makefile

test: ## install the test programs, build everything, run every test (FILTER=… those whose names match)
	@scripts/install.sh test
	@scripts/test.sh $(if $(FILTER),'$(FILTER)')

check: ## lint, and run every test that needs no server: under a minute once it is built
	@scripts/install.sh build
	@$(MAKE) --no-print-directory lint
	swift test --filter '^(WireTests|ConfigTests|MasterTests|WatchTests|ReplayTests|NSGITests|TidyTests)\.'

format: ## lay the Swift sources out as .swift-format says
	swift format --in-place --parallel --recursive $(SWIFT_SOURCES)

lint: ## see that they are
	@swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)

leaks: ## serve a million requests of every kind over WSGI, and over ASGI with both loops, and see that memory stays flat
	@$(MAKE) --no-print-directory build plugins
	LEAK_REQUESTS=$${LEAK_REQUESTS:-1000000} swift test --filter LeakTests

tidy: ## check the house rules: imports, line lengths, comments
	@scripts/install.sh build
	swift test --filter TidyTests

tsan: ## run the host and integration tests under the Thread Sanitizer (FILTER=… for some of them)
	@scripts/install.sh test
	@scripts/sanitize.sh thread $(FILTER)

asan: ## the same under the Address Sanitizer, with plugins and apps, and the tests of Python and ffi
	@scripts/install.sh test
	@scripts/sanitize.sh address $(FILTER)

stress: ## end 1,000,000 asynchronous exchanges while their clients go away, and watch the memory
	@$(MAKE) --no-print-directory build
	STRESS_FINISHES=1000000 swift test --filter StressTests

swap-proof: ## hundreds of swaps under a load of every kind, and killed workers (SWAPS=200 SANITIZER=address)
	@scripts/install.sh test
	@scripts/swap_proof.sh $(or $(SWAPS),200) $(SANITIZER)

fleet-proof: ## roll builds out over three hosts (network namespaces: root) that die, are cut off, slow, or refuse
	@scripts/install.sh fleet
	@$(MAKE) --no-print-directory build
	@/usr/bin/python3 scripts/fleet_proof.py

fleet-sim: ## how many users meet a bad build in a fleet, by policy: a model (ARGS="--hosts 100 --rate 1e5")
	@/usr/bin/python3 bench/fleet_sim.py $(ARGS)

drills: ## every drill of masters, workers and swaps, on each event loop, and a million random events
	@scripts/install.sh test
	@scripts/drills.sh $(FILTER)

soak: ## ten minutes of mixed load with clients that go away, and how memory grows (SECONDS=600)
	@$(MAKE) --no-print-directory build
	SOAK_SECONDS=$(or $(SECONDS),600) swift test --filter 'SwapTests.Swaps/SoakTests'

fuzz: ## made-up input for parsers, HTTP/2 beside libnghttp2, then whole servers (SECONDS=60 each, SEED=…)
	@scripts/install.sh test
	Tests/Fuzz/fuzz.sh all $(or $(SECONDS),60)
	@$(MAKE) --no-print-directory apps
	FUZZ_SEED=$(SEED) Tests/Fuzz/server.sh $(or $(SECONDS),60)

examples: apps build ## run the commands in the README of each example app
	@scripts/install.sh test
	swift test --filter ReadmeTests

bench: ## measure against the bare C references; PEERS=1 installs and adds other servers; ARGS="--rounds 3 …"
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps swift_apps
	@bench/run.sh $(ARGS)

bench-quick: ## the same, a few workloads in less than two minutes: a look, no claim
	@$(MAKE) --no-print-directory bench ARGS="--quick $(ARGS)"

bench-swap: ## time swaps under load, rolling and in place, and what requests notice of them
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/build.sh
	@python3 bench/swap.py $(ARGS)

bench-preload: ## memory of preloaded Django workers, and how soon one is replaced (after scripts/install.sh test)
	@$(MAKE) --no-print-directory build plugins
	@python3 bench/preload.py $(ARGS)

bench-autoreload: ## time from the save of a Python application's file to the first answer of the new code
	@$(MAKE) --no-print-directory build plugins
	@python3 bench/autoreload.py $(ARGS)

bench-crashes: ## what an application that crashes costs, and how soon killed workers are back
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@python3 bench/crashes.py $(ARGS)

bench-dispatch: ## measure fast requests among sleeping ones, and what watching calls costs
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/build.sh
	@python3 bench/dispatch.py $(ARGS)

bench-static: ## measure files of 1 KiB, 100 KiB and 10 MiB beside nginx: CPU time for each request
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/install.sh tools
	@bench/build.sh
	@python3 bench/static_files.py $(ARGS)

bench-budget: ## check allocations, system calls, retains and instructions of a request against bench/budgets
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/budget.sh $(ARGS)

bench-wsgi: ## compare many WSGI servers, directly and behind web servers (ARGS=--quick, --check, --docs, --help)
	@$(MAKE) --no-print-directory build plugins
	@bench/wsgi.sh $(ARGS)

bench-asgi: ## measure ASGI, Starlette, FastAPI and 1,000 streams of events beside uvicorn and granian (ARGS=…)
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/install.sh asgi
	@bench/run.sh --only asgi asgi-starlette asgi-fastapi $(ARGS)
	@python3 bench/sse.py

bench-websocket: ## measure WebSockets beside bare C, picows, websockets, uvicorn and others: echo, memory, broadcast (ARGS=…)
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/install.sh websocket
	@bench/build.sh
	@python3 bench/websocket.py $(ARGS)

bench-front-door: ## measure TLS and HTTP/2 beside OpenSSL and libnghttp2 in bare C, and nginx (ARGS=…)
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/install.sh front-door
	@bench/build.sh
	@python3 bench/front_door.py $(ARGS)

bench-history: ## record what this release costs in bench/history, out of the budgets and the last `make bench`
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@python3 bench/history.py record

bench-compare: ## say what changed beyond the noise since a release of bench/history (OLD=1.2.0 [NEW=1.3.0])
	@$(if $(NEW),true,$(MAKE) --no-print-directory build plugins)
	@$(if $(NEW),true,$(MAKE) --no-print-directory -f apps/Makefile c_apps)
	@python3 bench/history.py compare $(OLD) $(NEW)

install: ## install below PREFIX (default /usr/local), DESTDIR before it: what `make build plugins` has built
	@scripts/install.sh install
	@packaging/stage.sh $(or $(PREFIX),/usr/local) $(DESTDIR)

dist: ## make the tarball that runs anywhere without Swift (.build/dist)
	@scripts/install.sh install
	@$(MAKE) --no-print-directory build plugins
	@packaging/dist.sh

deb: ## make the Debian packages (.build/deb)
	@scripts/install.sh packages
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@packaging/deb.sh

rpm: ## make packages for systems with rpm (.build/rpm)
	@scripts/install.sh packages
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@packaging/rpm.sh

wheel: ## make the wheel that pip installs (.build/wheel)
	@scripts/install.sh install
	@$(MAKE) --no-print-directory build plugins
	@packaging/wheel.py

image: ## make the images as OCI archives, without a daemon (.build/image)
	@scripts/install.sh packages
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@packaging/image.sh

site: ## make the documentation as a site (.build/site)
	@scripts/install.sh install
	@packaging/site.sh

release: ## write VERSION=1.2.0 where it stands, date CHANGELOG.md, commit and tag
	@packaging/release.sh $(VERSION)

test-fresh: ## run and test a clone of HEAD on a machine that has nothing but Debian 12, git, make and Swift (ONLY=run)
	@scripts/install.sh packages
	@scripts/fresh.sh $(ONLY)

test-packages: ## install what is delivered into empty roots of Debian 12 and 13 and use it there (TEST=test_dist for one)
	@scripts/install.sh packages
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@cd Tests/Packages && /usr/bin/python3 -m unittest -v $(TEST)

test-python-next: ## serve with Python 3.14 in an empty root of Debian's testing suite: part of test-packages
	@scripts/install.sh packages
	@$(MAKE) --no-print-directory build plugins
	@cd Tests/Packages && /usr/bin/python3 -m unittest -v test_python_next

test-reproducible: ## build a clone of HEAD twice from nothing, and compare the tarballs and the wheels
	@scripts/install.sh install
	@scripts/reproduce.sh

test-languages: ## build, serve, swap and crash the apps in Ada, D, Fortran, Go, Nim, OCaml, Pascal and Zig
	@scripts/install.sh languages
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/languages.mk
	@cd Tests/Languages && /usr/bin/python3 -m unittest -v $(TEST)

test-browser: ## look at pages, Django, the chat and HTTP/2 in headless Chromium; pictures in .build/screenshots (TEST=…)
	@scripts/install.sh browser
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@cd Tests/Browser && /usr/bin/python3 -m unittest -v $(TEST)

test-tls: ## scan a socket with TLS by testssl.sh and sslyze, speak GnuTLS and ACME; minutes (TEST=test_acme)
	@scripts/install.sh tls
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@cd Tests/TLS && /usr/bin/python3 -m unittest -v $(TEST)

test-h2spec: ## build h2spec, and test HTTP/2 with it, with TLS and without (H2SPEC=another program)
	@$(if $(H2SPEC),true,scripts/install.sh h2spec)
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@cd Tests/H2spec && H2SPEC='$(or $(H2SPEC),$(CURDIR)/.build/h2spec/h2spec)' /usr/bin/python3 -m unittest -v $(TEST)

test-autobahn: ## run Autobahn's cases of WebSockets, in C and over ASGI (ARGS=--all: compression too; --parts, --ways)
	@scripts/install.sh autobahn
	@$(MAKE) --no-print-directory build plugins
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@/usr/bin/python3 Tests/Autobahn/run.py $(ARGS)

clean: ## remove everything that was built
	rm -rf .build
