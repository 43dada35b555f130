# One target for each habit; `make` alone lists them. Everything runs in the test profile's one target directory,
# so that nothing is built twice, and with the lock file as it is.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

cargo_deny = $(shell tests/tools.sh --where cargo-deny)
cargo_auditable = $(shell tests/tools.sh --where cargo-auditable)
cargo_cyclonedx = $(shell tests/tools.sh --where cargo-cyclonedx)
started := $(shell date +%s)
heading = @printf '\n== %s (%d s)\n' "$(1)" $$(( $$(date +%s) - $(started) ))

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: check
check: ## static checks: format, lints, dependencies, module borders, documentation
	$(call heading,check: format)
	cargo fmt --check
	$(call heading,check: lints)
	cargo clippy --locked --all-targets -- -D warnings
	$(call heading,check: dependencies)
	tests/tools.sh cargo-deny
	$(cargo_deny) --locked check --hide-inclusion-graph bans licenses sources
	$(call heading,check: planted bugs)
	@patch --dry-run --quiet --strip=1 < tests/planted.patch || \
		{ echo 'check: tests/planted.patch does not apply to the source; recreate it' >&2; exit 1; }
	$(call heading,check: module borders and pages)
	cargo test --locked --test front -- borders:: docs::
	$(call heading,check: source documentation)
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

.PHONY: test
test: tools ## all tests, including those on a cluster; installs what they need; as root
	$(call heading,test: without a cluster)
	cargo test --locked --no-fail-fast
	$(call heading,test: planted bugs make the tests fail)
	tests/planted.sh
	$(call heading,test: on a cluster)
	tests/e2e/all.sh

.PHONY: sanity
sanity: tools ## the CSI conformance suite, csi-sanity; part of `make test`
	$(call heading,sanity: csi-sanity)
	cargo test --locked --test front -- sanity::

.PHONY: faults
faults: tools ## kill -9 and power loss at every write: all points, not a sample
	$(call heading,faults: every point)
	WAR_VOL_FAULTS=all cargo test --locked --test front -- --nocapture crash::every_call crash::power driver::killed

.PHONY: unit
unit: ## unit tests: no root, no tools, seconds
	cargo test --locked --lib --bins

# A target of its own, so that the flags reach the program and not the build scripts; everything that is measured, and
# what measures, is one static release build, and that of the image.
.PHONY: bench
bench: ## benchmarks of the static release binary, as root, on a quiet machine; ROWS='cold warm' runs only some, AGAINST=PROGRAM compares another build
	$(call heading,bench: benchmarks)
	tests/tools.sh cargo-auditable
	RUSTFLAGS='-C target-feature=+crt-static' \
		$(cargo_auditable) auditable bench --locked --target "$$(rustc -vV | sed -n 's/^host: //p')" --bench figures -- $(ROWS) $(if $(AGAINST),--against $(abspath $(AGAINST)))

# Its time is that of the last change to what it lists, and its paths are nobody's: the same crates, the same file.
sbom := target/sbom/war-vol.cdx.json
.PHONY: sbom
sbom: ## the bill of materials in CycloneDX, with licences and digests: target/sbom/war-vol.cdx.json
	$(call heading,sbom: bill of materials)
	tests/tools.sh cargo-cyclonedx
	SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct -- Cargo.lock 2> /dev/null || echo 0)" $(cargo_cyclonedx) cyclonedx -qq --format json \
		--spec-version 1.5 --no-build-deps --target "$$(rustc -vV | sed -n 's/^host: //p')" \
		--override-filename war-vol.cdx
	mkdir -p $(dir $(sbom))
	sed -E 's|path\+file://$(CURDIR)#(war-vol@)?|path+file:///src#war-vol@|' war-vol.cdx.json > $(sbom)
	rm war-vol.cdx.json

.PHONY: cluster
cluster: ## create a kind cluster with the driver's image, even if no image can be pulled; as root
	tests/e2e/cluster.sh up
	tests/e2e/image.sh

.PHONY: e2e
e2e: cluster ## tests with a real kubelet and Tomcat, on the cluster; as root
	tests/e2e/install.sh
	tests/e2e/run.sh

.PHONY: e2e-full
e2e-full: tools ## the same on a new cluster of each version of Kubernetes that is tried (tests/e2e/versions.txt), with other servers than Tomcat (tests/e2e/cases/full); as root
	tests/e2e/each.sh

.PHONY: e2e-suite
e2e-suite: cluster ## Kubernetes' own storage test suite; part of `make e2e`; as root
	tests/e2e/install.sh
	tests/e2e/run.sh external

.PHONY: demo
demo: ## a Tomcat that serves a WAR that is not in its image, in a new cluster; as root
	@tests/e2e/demo.sh

.PHONY: demo-down
demo-down: cluster-down ## remove everything that the demo created, except the caches

.PHONY: cluster-down
cluster-down: ## remove the cluster, and the Docker daemon if it was started for it, but not the caches
	tests/e2e/cluster.sh down

.PHONY: tools
tools: ## install what the tests need besides Rust and Go (system packages only as root on Debian)
	$(call heading,tools)
	@tests/tools.sh

.PHONY: clean
clean: ## remove build results; the cached tools stay
	cargo clean
