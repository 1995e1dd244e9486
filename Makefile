# whyclosed: `make run` shows verdicts, `make test` proves them; `make` alone says what else there is.
#
# Building is done as whoever calls make; only what runs labs is run as root, with sudo where that is needed.

.DEFAULT_GOAL := help
.PHONY: help build run test bench lint clean-lab install-run install-test install-bench rust

SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
PROGRAM := $(or $(CARGO_TARGET_DIR),target)/debug/whyclosed
# cargo builds as the caller and starts the built tests and benchmarks through this.
RUNNER := --config 'target."cfg(unix)".runner = ["sudo", "-E"]'
AS_ROOT := $(if $(SUDO),$(RUNNER))

help: ## Say what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s  %s\n", $$1, $$2 }' Makefile

run: install-run build ## Run the short seed scenarios and print their verdicts (under two minutes, after the build)
	$(SUDO) $(PROGRAM) run scenarios/seed --filter length=short

test: install-test rust ## Run all tests, every case of the scenarios among them
	cargo test --workspace --no-fail-fast $(AS_ROOT)

bench: install-bench rust ## Time a lab up and down, beside the same lab made with `ip`
	cargo bench -p whyclosed-netns $(AS_ROOT)

lint: rust ## Check the format and clippy's lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

clean-lab: build ## Remove what killed runs may have left behind
	$(SUDO) $(PROGRAM) clean

build: rust
	cargo build -p whyclosed

install-run:
	@scripts/install-needs cc haproxy

install-test:
	@scripts/install-needs cc haproxy ip nft tshark

install-bench:
	@scripts/install-needs cc ip tc sysctl

rust:
	@command -v cargo >/dev/null || { \
		echo "Rust is missing: cargo is not on the PATH." >&2; \
		echo "Install it from https://rustup.rs (whyclosed needs 1.95 or later), open a new shell, and run make again." >&2; \
		exit 1; }
