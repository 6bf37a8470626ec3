# Verbs only. What a verb does is one line of cargo or a command of `cargo xtask`.

CASE = sample
FROM = 2024-10
TO = 2024-12
SPEED = 60x
ARGS =
REASON =

LOCKSTEP = cargo run --release --package lockstep --bin lockstep --

.DEFAULT_GOAL := help
.PHONY: help replay live test golden review bless sample determinism bench tidy lint fmt ci

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

replay: ## Replay FROM=2024-10 TO=2024-12 and compare with the golden
	cargo xtask replay --from $(FROM) --to $(TO) $(ARGS)

live: ## The sample as a live market, SPEED=60x, with the scanner at port 5000
	$(LOCKSTEP) live --feed sim:sample --speed $(SPEED) --port 5000 $(ARGS)

test: ## Every test
	cargo test --workspace --no-fail-fast $(ARGS)

golden: ## Hold every case against its golden; writes nothing
	cargo xtask golden check

review: ## Show where CASE=sample differs from its golden
	$(LOCKSTEP) golden review --case $(CASE)

bless: ## Accept what CASE=sample gives now, for a REASON="..."
	@test -n "$(REASON)" || { echo 'make bless: say why, REASON="..."' >&2; exit 2; }
	@test -z "$$CI" || { echo 'make bless: CI only checks' >&2; exit 2; }
	$(LOCKSTEP) golden accept --case $(CASE) --reason "$(REASON)"

sample: ## Make the sample's data again
	cargo xtask sample

determinism: ## One digest from every build, thread count and time zone
	cargo xtask determinism

bench: ## Measure the replay
	cargo xtask bench $(ARGS)

tidy: ## Check the style that a machine can check
	cargo xtask tidy

lint: ## Check with clippy
	cargo clippy --workspace --all-targets -- -D warnings

fmt: ## Format every file
	cargo fmt --all

ci: ## Everything that a submission has to pass
	cargo xtask ci
