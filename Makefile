# Flags for go test, such as -race or -run.
GOTESTFLAGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 30s

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The module here, and those nested under tests/, which ./... leaves out.
MODULES := . $(patsubst %/go.mod,%,$(wildcard tests/*/go.mod))

.PHONY: help demo test lint bench fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## solve a travelling-salesman problem with Machinery; needs nothing but Go
	go run ./example_app

test: ## run all tests, with a Redis and a RabbitMQ that are found, started or installed
	tests/with-servers go test -timeout 15m $(GOTESTFLAGS) ./...

lint: ## check formatting, go vet and staticcheck
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then printf 'not formatted with gofmt:\n%s\n' "$$files"; exit 1; fi
	@set -e; for module in $(MODULES); do \
		echo "go vet and staticcheck: $$module"; \
		(cd "$$module" && go vet ./... && go run $(STATICCHECK) ./...); \
	done

bench: ## measure against other codecs and against Machinery alone
	tests/with-servers sh -c 'cd tests/bench && go run .'

fuzz: ## run each fuzz target for FUZZTIME, 30s by default
	@set -e; for package in $$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do \
		listed=$$(go test -list '^Fuzz' "$$package"); \
		for target in $$(printf '%s\n' "$$listed" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done
