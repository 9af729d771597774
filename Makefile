# The verbs of the project; `make help` lists them. Everything lands below .build.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build plugins apps test swap-proof leaks tidy fuzz examples bench bench-quick bench-swap
.PHONY: bench-dispatch bench-budget tsan asan stress clean

# The command that `make run` starts; other apps and sockets: make run APP=.build/apps/environ.so HTTP=:8090
APP ?= .build/apps/hello_world_app.so
HTTP ?= 127.0.0.1:8080
SCGI ?= 127.0.0.1:8081

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: ## build and serve the hello world app on 127.0.0.1:8080 (HTTP) and 8081 (SCGI)
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@echo "Browser: http://$(HTTP)/    curl: curl http://$(HTTP)/"
	@echo "lighttpd in front (SCGI at $(SCGI)): lighttpd -D -f docs/deploy/lighttpd/quick-start.conf, then http://127.0.0.1:8000/"
	@exec .build/release/server --app $(APP) --http-socket $(HTTP) --scgi-socket $(SCGI)

build: ## build the server (.build/release/server)
	@scripts/install.sh build
	swift build -c release --product server

plugins: ## build the runtimes beside the server (.build/release/libpython3_plugin.so, libffi_plugin.so)
	@scripts/install.sh plugins
	swift build -c release --product python3_plugin
	swift build -c release --product ffi_plugin

apps: ## build every example app to .build/apps/NAME.so
	@scripts/install.sh apps
	@$(MAKE) --no-print-directory -f apps/Makefile

test: ## install the test programs, build everything, run every test
	@scripts/install.sh test
	@scripts/test.sh

leaks: ## serve a million WSGI requests of every kind and see that memory stays flat
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

fuzz: ## made-up input for the parsers of every border, then for whole servers (SECONDS=60 each, SEED=…)
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
	@bench/build.sh
	@python3 bench/swap.py $(ARGS)

bench-dispatch: ## measure fast requests among sleeping ones, and what watching calls costs
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/build.sh
	@python3 bench/dispatch.py $(ARGS)

bench-budget: ## check allocations, system calls, retains and instructions of a request against bench/budgets
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory -f apps/Makefile c_apps
	@bench/budget.sh $(ARGS)

clean: ## remove everything that was built
	rm -rf .build
