# whyclosed: `make run` shows verdicts, `make test` proves them; `make` alone says what else there is.
#
# Nothing but `test-real` needs root: the virtual clock runs as whoever calls make, and only installing what is missing asks
# for sudo.

.DEFAULT_GOAL := help
.PHONY: help build kernel run run-real test seeded-bugs test-real bench bench-proxy determinism lint clean-lab images install-run install-test install-bench install-bench-proxy rust

SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
PROGRAM := $(or $(CARGO_TARGET_DIR),target)/debug/whyclosed
# cargo builds as the caller and starts the built tests and benchmarks through this.
RUNNER := --config 'target."cfg(unix)".runner = ["sudo", "-E"]'
AS_ROOT := $(if $(SUDO),$(RUNNER))
# User-Mode Linux is for x86-64; elsewhere cases run on the real clock.
VIRTUAL := $(filter x86_64,$(shell uname -m))

help: ## Say what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s  %s\n", $$1, $$2 }' Makefile

ifdef VIRTUAL
run: install-run build kernel ## Run the seed scenarios and print their verdicts (hours in half a minute, after the build)
	$(PROGRAM) run scenarios/seed
else
run: run-real
endif

run-real: install-run build ## Run the short seed scenarios on this machine's own kernel and clock (root; under two minutes)
	$(SUDO) $(PROGRAM) run scenarios/seed --filter length=short --clock real

# The tests that need images are those of the real clock, which needs root.
test: install-test rust $(if $(VIRTUAL),kernel) $(if $(SUDO),,images) ## Run all tests: every case on the virtual clock and, as root, the real clock's
	cargo test --workspace --no-fail-fast
	$(if $(VIRTUAL),scripts/seeded-bugs)

seeded-bugs: install-test rust kernel ## Put deliberate bugs into the program, one at a time, and see the scenarios catch each
	scripts/seeded-bugs

test-real: install-test rust $(if $(VIRTUAL),kernel) images ## Run all tests as root, with sudo
	WHYCLOSED_ROOT=1 cargo test --workspace --no-fail-fast $(AS_ROOT)

bench: install-bench build $(if $(VIRTUAL),kernel) ## Time the virtual clock, RabbitMQ, and (root) a lab up and down beside one made with `ip`
	$(if $(VIRTUAL),cargo bench -p whyclosed-tests --bench clock)
	$(if $(VIRTUAL),cargo bench -p whyclosed-tests --bench rabbitmq $(AS_ROOT))
	cargo bench -p whyclosed-netns $(AS_ROOT)

bench-proxy: install-bench-proxy rust ## Measure relay, HAProxy and nginx side by side: throughput, connections, latency, memory (five minutes, nothing else running)
	cargo bench -p whyclosed-proxy --bench versus

determinism: install-run build kernel ## Run the seed scenarios ten times, half of them beside other work, and compare
	cargo bench -p whyclosed-tests --bench determinism

lint: rust ## Check the format and clippy's lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

clean-lab: build ## Remove what killed runs may have left behind
	$(SUDO) $(PROGRAM) clean

images: ## Start Docker where it does not run, and build images of brokers from Debian's packages, where they are missing
	@scripts/install-needs docker dockerd mmdebstrap
	@$(SUDO) scripts/start-docker
	@$(SUDO) scripts/build-images

build: rust
	cargo build -p whyclosed

kernel: build ## Build the kernel of the virtual clock, once; later calls find it
	$(PROGRAM) kernel

install-run:
	@scripts/install-needs cc haproxy

install-test:
	@scripts/install-needs cc haproxy nginx mosquitto ip nft patch tshark python3-pika

install-bench-proxy:
	@scripts/install-needs cc haproxy nginx ip taskset

install-bench:
	@scripts/install-needs cc haproxy ip tc sysctl

rust:
	@command -v cargo >/dev/null || { \
		echo "Rust is missing: cargo is not on the PATH." >&2; \
		echo "Install it from https://rustup.rs (whyclosed needs 1.95 or later), open a new shell, and run make again." >&2; \
		exit 1; }
