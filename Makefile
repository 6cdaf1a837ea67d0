# Flags for go test, such as -race or -run.
GOTESTFLAGS ?=
# What make bench and make compare time, a regexp, and the commit that make compare compares with.
BENCH ?= .
BASE ?= HEAD
# How long each fuzz target runs.
FUZZTIME ?= 30s

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The module here, and those nested under tests/, which ./... leaves out.
MODULES := . $(patsubst %/go.mod,%,$(wildcard tests/*/go.mod))
# What uses libraries of which go.mod requires the lowest versions; tests/bench has the newest.
NEWEST := $(addprefix github.com/machinery-envelope/machinery-envelope/,\
	envelope/cborcodec envelope/protocodec envelope/zstdencoding middleware/otelmiddleware)

# Where the packages have to build besides here, and what is built there.
PLATFORMS := windows/amd64 darwin/arm64 linux/386
PORTABLE := ./envelope/... ./middleware/... ./adapters/...

# The servers that make test-servers tests on: a Debian release, which brings a RabbitMQ, and what runs as Redis.
SERVERS := trixie/redis-server trixie/valkey-server forky/valkey-server
ON_SERVERS := $(SERVERS:%=test-servers/%)
# What has to do with the version of a server.
ABOUT_SERVERS := ./adapters/redisadapter/... ./adapters/amqpadapter ./tests/services ./tests/conformance

.PHONY: help demo test test-servers $(ON_SERVERS) lint bench compare fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## solve a travelling-salesman problem with Machinery; needs nothing but Go
	go run ./example_app

# A module whose tests fail keeps no other from being tested. tests/faults and tests/backends run without the race
# detector: many worker processes, and a database in Go, are too slow under it.
test: ## run all tests, with a Redis, a RabbitMQ and a memcached that are found, started or installed
	tests/with-servers sh -c 'failed=; \
		test_in() { (cd "$$1" && shift && go test "$$@") || failed="$$failed $$1"; }; \
		test_in . -timeout 30m $(GOTESTFLAGS) $$(go list ./... | grep -v /tests/faults/); \
		test_in tests/faults -timeout 30m $(filter-out -race,$(GOTESTFLAGS)) ./...; \
		for module in adopt browser jsonschema; do test_in tests/$$module $(GOTESTFLAGS) ./...; done; \
		test_in tests/backends $(filter-out -race,$(GOTESTFLAGS)) ./...; \
		test_in tests/bench $(GOTESTFLAGS) ./... $(NEWEST); \
		[ -z "$$failed" ] || { echo "failed in:$$failed"; exit 1; }'

test-servers: $(ON_SERVERS) ## test adapters and transports on newer servers, from Debian's next releases; needs root

$(ON_SERVERS): test-servers/%:
	tests/debian $(subst /, ,$*) tests/with-servers --start \
		go test -count 1 -timeout 15m $(GOTESTFLAGS) $(ABOUT_SERVERS)

lint: ## check formatting, go vet, also for other platforms, and staticcheck
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then printf 'not formatted with gofmt:\n%s\n' "$$files"; exit 1; fi
	@set -e; for module in $(MODULES); do \
		echo "go vet and staticcheck: $$module"; \
		(cd "$$module" && go vet ./... && go run $(STATICCHECK) ./...); \
	done
	@set -e; for platform in $(PLATFORMS); do \
		echo "go vet: $$platform"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go vet $(PORTABLE); \
	done

bench: ## measure against other codecs, other task queues and Machinery alone, or what BENCH names, as redis or scale
	tests/with-servers sh -c 'cd tests/bench && go run . $(if $(filter-out .,$(BENCH)),-bench "(?i)$(BENCH)")'

compare: ## time the benchmarks BENCH here and at the commit BASE, by turns
	tests/with-servers tests/bench/compare '$(BASE)' '$(BENCH)'

fuzz: ## run each fuzz target for FUZZTIME, 30s by default
	@set -e; for package in $$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
		listed=$$(go test -list '^Fuzz' "$$package"); \
		for target in $$(printf '%s\n' "$$listed" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done
