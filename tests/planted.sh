#!/usr/bin/env bash
# Faults that are planted on purpose must turn the universe of bad origins red, or its green says nothing.
#
# A copy of the tree gets the classic faults of downloaders, each switched on by PLANTED; one build, six runs:
# without a fault it must be green, with each of them red.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

git ls-files -z --cached --others --exclude-standard | tar -c --null --files-from=- | tar -x -C "$copy"
cd "$copy"
patch --quiet -p1 < tests/planted.patch || {
	echo "planted: tests/planted.patch no longer applies to the source; recreate it" >&2
	exit 1
}
built=${CARGO_TARGET_DIR:-$top/target}
export CARGO_TARGET_DIR=$built/planted PROPTEST_CASES=60
if [ ! -d "$CARGO_TARGET_DIR" ] && [ -d "$built/debug/deps" ]; then
	# The dependencies are the same: they need not be compiled again.
	mkdir -p "$CARGO_TARGET_DIR/debug"
	cp -al "$built"/debug/{deps,build,.fingerprint} "$CARGO_TARGET_DIR/debug/"
	# But for our own crate: cargo writes its notes on it in place, and through the links the planted tree's would become
	# those of the true one, whose tests it would then take for built.
	rm -rf "$CARGO_TARGET_DIR"/debug/.fingerprint/war-vol-* "$CARGO_TARGET_DIR"/debug/deps/{,lib}{war_vol,front,figures}-*
fi
echo "planted: building"
cargo test --locked --quiet --test front --no-run
# By its name the suite is the same; quick scenes will do.
suite() { PLANTED=$1 cargo test --locked --quiet --test front -- universe::plain > "$copy/$1.log" 2>&1; }

suite nothing || {
	tail -n 40 "$copy/nothing.log"
	echo "planted: red without a planted fault: the runs with one prove nothing" >&2
	exit 1
}
echo "planted: green without a fault"
missed=0
for fault in append-on-200 no-if-range length-believed header-believed tag-believed; do
	if suite "$fault"; then
		echo "planted: $fault was NOT noticed" >&2
		missed=1
	else
		echo "planted: $fault turns the suite red: $(grep -m 1 -E 'wrong bytes|must succeed|nobody could know' "$copy/$fault.log" | cut -c 1-150)"
	fi
done
exit "$missed"
