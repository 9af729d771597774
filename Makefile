# The verbs of the project; `make help` lists them. Everything lands below .build.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build apps test tidy fuzz examples bench clean

# The command that `make run` starts; other apps and sockets: make run APP=.build/apps/environ.so HTTP=:8090
APP ?= .build/apps/hello_world_app.so
HTTP ?= 127.0.0.1:8080
SCGI ?= 127.0.0.1:8081

help: ## list the verbs
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

run: ## build everything and serve the hello world app on 127.0.0.1:8080 (HTTP) and 8081 (SCGI)
	@scripts/install.sh run
	@$(MAKE) --no-print-directory build apps
	@echo "Browser: http://$(HTTP)/    curl: curl http://$(HTTP)/"
	@echo "lighttpd in front (SCGI at $(SCGI)): lighttpd -D -f docs/deploy/lighttpd/quick-start.conf, then http://127.0.0.1:8000/"
	@exec .build/release/server --app $(APP) --http-socket $(HTTP) --scgi-socket $(SCGI)

build: ## build the server (.build/release/server)
	@scripts/install.sh build
	swift build -c release

apps: ## build every example app to .build/apps/NAME.so
	@scripts/install.sh build
	@$(MAKE) --no-print-directory -f apps/Makefile

test: ## install the test programs, build everything, run every test
	@scripts/install.sh test
	@scripts/test.sh

tidy: ## check the house rules: imports, line lengths, comments
	@scripts/install.sh build
	swift test --filter TidyTests

fuzz: ## run the fuzz targets of the codecs for a while
	@scripts/install.sh build
	Tests/Fuzz/fuzz.sh

examples: apps build ## run the commands in the README of each example app
	@scripts/install.sh test
	swift test --filter ReadmeTests

bench: build apps ## measure against the bare C references; prints one table of ratios
	@scripts/install.sh test
	bench/run.sh

clean: ## remove everything that was built
	rm -rf .build
