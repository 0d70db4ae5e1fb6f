# One command for each thing; `make` lists them. Everything that a target needs beyond Go, git, gpg and
# ssh-keygen is built from pinned modules into ~/.cache/fairway (FAIRWAY_CACHE moves it).
SHELL := bash
.DEFAULT_GOAL := help

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
PKG      ?= ./...
TEST     ?= .
FUZZTIME ?= 10s
# In the tests, as a number of runs: together the targets shall be fuzzed for less than a minute.
FUZZSHORT ?= 100x
BENCH    ?= .
# The older minors of Kubernetes that Fairway is held against, and the tests that may turn out otherwise there.
MINORS   ?= 1.36 1.35
ONMINORS ?= ^(TestMinor|TestT61.*|TestT01OneFieldAtATime|TestT08MutatingHookOnTheServer|TestRuling23SchemasAgree|TestEqualitySurvivesReality|TestServe|TestGuard)$$
# Whole control planes, engines and a forge run beside the tests, so a package gets more than the default ten
# minutes.
TIMEOUT  ?= 60m

##@ Every day

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the fairway binary into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.release=$(VERSION)" -o bin/ ./cmd/fairway

.PHONY: test
test: tools ## Run all tests: units, the house, the real control plane, and each fuzz target for a moment (PKG=, TEST= narrow them)
	$(GO) test -timeout $(TIMEOUT) -run '$(TEST)' $(PKG)
ifeq ($(TEST) $(PKG),. ./...)
	cd hack/monitoring && $(GO) test ./...
	hack/fuzz.sh $(FUZZSHORT)
endif

.PHONY: e2e
e2e: tools ## Run the stories on the real control plane, with the real engines (TEST= narrows them)
	$(GO) test -timeout $(TIMEOUT) -run '$(TEST)' ./e2e/...

.PHONY: e2e-minors
e2e-minors: ## Run what depends on the API server's minor on the older ones, built from source (MINORS="1.36 1.35")
	for minor in $(MINORS); do \
		export FAIRWAY_KUBERNETES=$$minor; \
		hack/controlplane/build.sh && $(GO) run ./hack/defaults -check && \
		$(GO) test -timeout $(TIMEOUT) -count 1 -v -run '$(ONMINORS)' ./e2e || exit; \
	done

.PHONY: lint
lint: ## Run the linters
	workflows=$$(hack/actionlint/build.sh) && "$$workflows"
	! command -v shellcheck >/dev/null || git ls-files -z .ci '*.sh' | xargs -0 shellcheck --severity=warning
	linter=$$(hack/lint/build.sh) && "$$linter" run ./...

.PHONY: fmt
fmt: ## Format the code
	linter=$$(hack/lint/build.sh) && "$$linter" fmt ./...

.PHONY: demo
demo: ## Show Fairway at work in a few minutes, without a cluster
	$(GO) run ./hack/demo

.PHONY: demo-cluster
demo-cluster: tools ## Show it on a real API server
	$(GO) run ./hack/demo -cluster

##@ Before a change is sent

.PHONY: generate
generate: ## Generate deep copies, CRDs and the API reference from the API's types
	$(GO) generate ./api/...

.PHONY: verify
verify: ## Generate into a copy and fail on any difference; check the modules
	hack/verify.sh
	$(GO) mod verify

.PHONY: race
race: tools ## Run the tests with the race detector
	$(GO) test -race -timeout $(TIMEOUT) -run '$(TEST)' $(PKG)

.PHONY: fuzz
fuzz: ## Fuzz every target for a short while (FUZZTIME=10s each)
	hack/fuzz.sh $(FUZZTIME)

.PHONY: faults
faults: tools ## Break what can be broken under load for most of an hour, on a real control plane
	$(GO) test -timeout 120m -count 1 -v -run '^(TestFaults|TestF13TwoVersions|TestT47Rotation|TestT49TiersFlip)$$' ./e2e -fault-time 20s -fault-rounds 10 -fault-clients 16 -fault-leaves 100 -flip-times 1000 \
		-fault-confine=$$([ "$$(id -u)" = 0 ] && echo true || echo false)

.PHONY: bench
bench: ## Run the benchmarks (BENCH= narrows them), and compare admission fronts under load
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./internal/... ./cmd/fairway ./hack/load
	$(GO) run ./hack/load -duration 1s -rounds 3

.PHONY: ci
ci: ## Do what continuous integration does
	.ci/run

.PHONY: e2e-kind
e2e-kind: ## Run the story of docs/install.md on a kind cluster (needs a container engine and a network)
	e2e/kind/run.sh

.PHONY: e2e-kind-offline
e2e-kind-offline: ## Start the gate's image as the chart does, where nothing can be pulled
	e2e/kind/offline.sh

.PHONY: e2e-kubelet
e2e-kubelet: ## Run that story on a kubelet built from source, with network policies, where no image can be pulled (needs root, containerd, ipset, a mirror of Debian)
	e2e/kind/kubelet.sh

.PHONY: licenses
licenses: ## List the licence of all that the binary is made of; fail where one may not be shipped
	cd hack/licenses && $(GO) run .

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities in what the binary calls (VULNDB=https://vuln.go.dev asks for today's)
	hack/vulncheck/check.sh

.PHONY: dist
dist: ## Make the files of a release in dist/ (VERSION=v1.2.3, the chart's)
	hack/release/dist.sh $(VERSION)

.PHONY: release-rehearsal
release-rehearsal: ## Rehearse a release on loopback: make, push, sign, check as docs/release.md says, and attack it (needs openssl and curl)
	hack/release/rehearse.sh

.PHONY: reproduce
reproduce: ## Build the binary twice in two places and fail where the two differ
	hack/reproduce.sh

##@ Machinery

.PHONY: tools
tools: ## Build the control plane, Flux, Argo CD, helm, cert-manager and a forge for the tests, unless they are in the cache
	hack/controlplane/build.sh >/dev/null
	hack/flux/build.sh >/dev/null
	hack/argocd/build.sh >/dev/null
	hack/helm/build.sh >/dev/null
	hack/certmanager/build.sh >/dev/null
	hack/gitea/build.sh >/dev/null

.PHONY: clean
clean: ## Remove what the targets built here; the cache stays
	rm -rf bin dist
