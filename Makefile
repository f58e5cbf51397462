# After connect-go's, see https://tech.davis-hansson.com/p/make/
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables
MAKEFLAGS += --no-builtin-rules
MAKEFLAGS += --no-print-directory

BUF_VERSION := 1.75.0
GRPCURL_VERSION := 1.9.4
CONNECTCONFORMANCE_VERSION := 1.0.6
GOLANGCI_LINT_VERSION := 2.15.0

# A tool's version is part of its file name: a new pin is a new file, so it gets installed.
TMP := $(CURDIR)/.tmp
BUF := $(TMP)/bin/buf-$(BUF_VERSION)
GRPCURL := $(TMP)/bin/grpcurl-$(GRPCURL_VERSION)
CONNECTCONFORMANCE := $(TMP)/bin/connectconformance-$(CONNECTCONFORMANCE_VERSION)
GOLANGCI_LINT := $(TMP)/bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

# Every module, found so that none can be forgotten. The main one is missing only if find fails.
FOUND = $(sort $(shell find . \( -name .tmp -o -name node_modules -o -name vendor \) -prune -o -name go.mod -exec dirname {} \;))
MODULES = $(or $(and $(filter .,$(FOUND)),$(FOUND)),$(error the main module is not among the modules that find has found: "$(FOUND)"))

E2E := interceptor/internal/dev/e2e
SHOP := interceptor/internal/dev/shop
START := interceptor/internal/dev/start
# What `npm ci` writes last.
E2E_NPM := $(patsubst %package-lock.json,%node_modules/.package-lock.json,$(wildcard $(E2E)/package-lock.json $(E2E)/*/package-lock.json))

ARGS ?=
BENCH ?= .
COUNT ?= 1
FUZZTIME ?= 10s
ROUNDS ?= 12
TREE ?= .
PKG ?=
RUN ?=

.PHONY: help
help: ## Describe the targets (default)
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: test
test: ## Run the tests; needs nothing but Go
	go test ./...
	go -C interceptor/cmd test ./...
	go -C interceptor/otelguard test ./...

.PHONY: lint
lint: $(BUF) $(GOLANGCI_LINT) ## Check style and correctness of Protobuf, Go and go.mod, and checkpolicy
	$(BUF) lint
	$(BUF) format --diff --exit-code
	$(MAKE) checkpolicy
	go mod tidy -diff
	go mod verify
	go vet ./...
	$(GOLANGCI_LINT) run
	for module in $(filter-out .,$(MODULES)); do \
		(cd $$module && go mod tidy -diff && go vet ./... && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml); \
	done

# vet compiles the tests too. It needs no 32-bit machine, and GOOS so that a Mac can do it.
.PHONY: platforms
platforms: ## Vet all modules for 32 bits, and build the tools for Windows and macOS
	for module in $(MODULES); do \
		CGO_ENABLED=0 GOOS=linux GOARCH=386 go -C $$module vet ./...; \
	done
	for platform in windows/amd64 darwin/arm64; do \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go -C interceptor/cmd build -o /dev/null ./...; \
	done

.PHONY: generate
generate: $(BUF) ## Write gen/ anew from proto/
	$(BUF) generate
	cd $(E2E)/gateway && $(BUF) generate
	cd $(SHOP) && $(BUF) generate
	cd $(START) && $(BUF) generate

.PHONY: checkgenerate
checkgenerate: $(BUF) ## Check that gen/ is what proto/ generates, also on a dirty tree
	rm -rf $(TMP)/generated
	$(BUF) generate --output $(TMP)/generated
	diff -ru gen $(TMP)/generated/gen
	cd $(E2E)/gateway && $(BUF) generate --output $(TMP)/generated/gateway
	diff -ru $(E2E)/gateway/gen $(TMP)/generated/gateway/gen
	cd $(SHOP) && $(BUF) generate --output $(TMP)/generated/shop
	diff -ru $(SHOP)/gen $(TMP)/generated/shop/gen
	cd $(START) && $(BUF) generate --output $(TMP)/generated/start
	diff -ru $(START)/gen $(TMP)/generated/start/gen

# With what sample/handler.go gives to policy.Compile.
define print_policy
$(BUF) build -o - | go -C interceptor/cmd run ./protoauthz matrix -format markdown -audience https://api.example.com \
	-public grpc.health.v1.Health -public grpc.reflection.v1.ServerReflection -public grpc.reflection.v1alpha.ServerReflection
endef

.PHONY: policy
policy: $(BUF) ## Write who may call what of the sample into sample/POLICY.md
	$(print_policy) >$(TMP)/POLICY.md
	mv $(TMP)/POLICY.md sample/POLICY.md

.PHONY: checkpolicy
checkpolicy: $(BUF) ## Check that sample/POLICY.md matches proto/, also on a dirty tree
	@$(print_policy) >$(TMP)/POLICY.md
	@diff -u sample/POLICY.md $(TMP)/POLICY.md || { echo 'the rules have changed: review them, then run make policy' >&2; exit 1; }

.PHONY: bench
bench: ## Run the benchmarks (BENCH=regexp COUNT=n)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

.PHONY: bench-peers
bench-peers: ## Measure against no auth and other libraries, and write the tables (ROUNDS=n)
	go -C interceptor/internal/dev/bench run . -rounds $(ROUNDS) -out README.md -readme ../../../../README.md

# Without npm or Chromium, which only root can install, the tests that need them are skipped, and
# that is said. With CI=true they fail.
.PHONY: e2e
e2e: $(BUF) $(GRPCURL) $(E2E_NPM) ## Call the sample with curl, buf, grpcurl, Go, Node.js and Chromium
	@if [[ -z $$(command -v chromium) && -n $$(command -v apt-get) && $$(id -u) == 0 ]]; then \
		apt-get -qq update && apt-get -qq install -o DPkg::Lock::Timeout=300 --yes --no-install-recommends chromium >/dev/null || true; \
	fi
	@status=0; E2E_BUF=$(BUF) E2E_GRPCURL=$(GRPCURL) go -C $(E2E) test -v -count=1 -timeout 30m ./... 2>&1 | \
		tee $(TMP)/e2e.log | { grep -Ev '^=== |^ *--- PASS|^PASS$$' || true; } || status=$$?; \
	awk -v status=$$status '/^=== / {test = $$3} /^ +[a-z0-9_]+\.go:[0-9]+: / {why[test] = $$0} \
		/^ *--- SKIP: / {skipped = skipped "\n  " $$3 ":" why[$$3]} \
		END {if (skipped) print "e2e: SKIPPED, so not tested:" skipped; else if (!status) print "e2e: nothing was skipped"}' \
		$(TMP)/e2e.log; \
	exit $$status

.PHONY: realtime
realtime: $(BUF) $(GRPCURL) $(E2E_NPM) ## Run the tests that look at a real clock (COUNT=n)
	@go run ./interceptor/internal/dev/clocks | while read -r module package tests; do \
		E2E_BUF=$(BUF) E2E_GRPCURL=$(GRPCURL) \
			go -C $$module test -race -count $(COUNT) -timeout 3h -run "$$tests" $$package </dev/null; \
	done

.PHONY: conformance
conformance: $(CONNECTCONFORMANCE) ## Run the conformance suites of Connect and gRPC behind the guard
	@go -C interceptor/internal/dev/conformance test -count 1 -v -run '^TestInterop' ./... | \
		awk '/^    --- PASS: TestInterop\// {passed++} /FAIL/ {print} END {printf "gRPC: %d of 16 interoperability tests passed\n", passed; exit passed != 16}'
	go -C interceptor/internal/dev/conformance test ./...
	go -C interceptor/internal/dev/conformance run . -runner $(CONNECTCONFORMANCE)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s), one after another
	@# Minimizing an input, by default up to a minute long, would eat up FUZZTIME.
	@for module in . interceptor/cmd; do \
		targets=$$(go -C $$module test -list '^Fuzz' ./... | \
			awk '/^Fuzz/ {names = names " " $$1} /^ok/ {$$0 = $$2 names; for (i = 2; i <= NF; i++) print $$1 ":" $$i; names = ""}'); \
		if [[ -z $$targets ]]; then echo "no fuzz targets in $$module"; fi; \
		for target in $$targets; do \
			echo "fuzz $$target"; \
			go -C $$module test -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$${target%:*}"; \
		done; \
	done

# Packages take from seconds to twenty minutes each, of a machine that does nothing else.
.PHONY: mutate
mutate: ## Change each condition and statement of the library, or of PKG, and see a test fail (RUN=regexp)
	go run ./interceptor/internal/dev/mutate -run '$(RUN)' $(PKG)

.PHONY: count
count: ## Print the numbers that stay small, of a checkout (TREE=folders)
	@go run ./interceptor/internal/dev/count $(TREE)

.PHONY: run
run: ## Run the sample (ARGS='-listen 127.0.0.1:9090')
	go run ./sample $(ARGS)

.PHONY: ci
ci: ## Run the gate, as CI does
	bash .ci/run

.PHONY: clean
clean: ## Delete .tmp, with the tools, and what npm installed
	rm -rf $(TMP) $(dir $(E2E_NPM))

# The npm package ships the binary, ready in seconds; compiling it takes minutes.
$(BUF):
	@mkdir -p $(@D)
	@if npm install --silent --ignore-scripts --no-audit --no-fund \
		--prefix $@.npm @bufbuild/buf@$(BUF_VERSION); then \
		ln -sf $(@F).npm/node_modules/.bin/buf $@; \
	else \
		echo 'buf: npm cannot install it, compiling it'; \
		GOBIN=$(@D) go install github.com/bufbuild/buf/cmd/buf@v$(BUF_VERSION); \
		mv $(@D)/buf $@; \
	fi

$(GRPCURL):
	@mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v$(GRPCURL_VERSION)
	mv $(@D)/grpcurl $@

%/node_modules/.package-lock.json: %/package-lock.json
	@if command -v npm >/dev/null; then \
		cd $* && npm ci --silent --ignore-scripts --no-audit --no-fund && touch node_modules/.package-lock.json; \
	else \
		echo 'e2e: there is no npm to install what $< pins'; \
	fi

$(CONNECTCONFORMANCE):
	@mkdir -p $(@D)
	GOBIN=$(@D) go install connectrpc.com/conformance/cmd/connectconformance@v$(CONNECTCONFORMANCE_VERSION)
	mv $(@D)/connectconformance $@

$(GOLANGCI_LINT):
	@mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_LINT_VERSION)
	mv $(@D)/golangci-lint $@
