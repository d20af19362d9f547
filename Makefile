# make build   bin/voltage, bin/voltage-plugin-*, bin/plant
# make run     the demo site with its simulated plant, on the terminal
# make test    lint and every test; installs what is missing
# make bench   the table of speed and size
# make help    all of them

SHELL := /bin/bash
GO ?= go
BIN := $(CURDIR)/bin
TOOLS ?= $(CURDIR)/.tools
DATA ?= $(CURDIR)/data
VERSION ?= $(shell sed -n 's/^\#\# \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md | head -1)
LDFLAGS := -s -w -X github.com/voltage-edge/voltage/agent/cli.Version=$(VERSION)
MODULES := . sdk examples/plugin
export PATH := $(TOOLS):$(PATH)
export CGO_ENABLED ?= 0

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: build
build: ## the agent, its plugins and the plant, into bin/
	@mkdir -p $(BIN)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/voltage ./agent
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/voltage-plugin-modbus ./plugins/modbus
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/voltage-plugin-influxdb ./plugins/influxdb
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/plant ./examples/plant

.PHONY: run
run: ## the demo site and its simulated plant; Ctrl-C ends both
	@.ci/install run
	@$(MAKE) --no-print-directory build
	@mkdir -p $(DATA)
	@# The plant outlives the agent's Ctrl-C, so that the agent can leave the outputs at their safe values.
	@(trap '' INT; exec $(BIN)/plant --listen 127.0.0.1:1502 --control 127.0.0.1:1503 >$(DATA)/plant.log 2>&1) & plant=$$!; \
	trap 'kill $$plant 2>/dev/null; wait $$plant 2>/dev/null' EXIT; trap : INT TERM; \
	$(BIN)/voltage run site.hcl --data $(DATA); status=$$?; \
	[ $$status -eq 0 ] || [ $$status -eq 130 ] || exit $$status

.PHONY: test
test: install build lint ## lint and every test
	@for m in $(MODULES); do echo "== $$m"; (cd $$m && $(GO) test -timeout 20m ./...) || exit 1; done
	@$(MAKE) --no-print-directory lua-coverage

.PHONY: test-short
test-short: ## the fast tests only
	@for m in $(MODULES); do (cd $$m && $(GO) test -short ./...) || exit 1; done

.PHONY: race
race: install build ## the packages where goroutines meet, with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./agent/...
	cd sdk && CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

.PHONY: lint
lint: ## gofmt, vet, staticcheck, luacheck
	@bad=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); [ -z "$$bad" ] || { echo "gofmt: $$bad"; exit 1; }
	@for m in $(MODULES); do (cd $$m && $(GO) vet ./... && staticcheck ./...) || exit 1; done
	@luacheck -q lua

.PHONY: bench
bench: install build ## the table of speed and size, measured here
	$(GO) run ./agent/bench

DIR ?= lua/vectors/testdata
.PHONY: vectors
vectors: ## the rule and alarm cases in DIR, through the libraries on a real server
	@.ci/install run
	@$(GO) run ./lua/vectors $(DIR)

.PHONY: lua-coverage
lua-coverage: ## which statements of the Lua run in its tests
	@.ci/install run
	@$(GO) run ./lua/coverage -at-least 93

.PHONY: generate
generate: ## the code and documents that are made from others
	$(GO) generate ./...
	cd sdk && $(GO) generate ./...

.PHONY: install
install: ## what the tests need and this machine lacks
	@.ci/install test

.PHONY: clean
clean: ## what make leaves
	rm -rf $(BIN) $(TOOLS) $(DATA)
