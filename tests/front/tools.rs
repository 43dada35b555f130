//! What the tests do not build themselves: the tools of `tests/tools.sh`.

use std::path::PathBuf;
use std::process::Command;

/// Where a tool is; without it the test fails and says how to get it.
pub(crate) fn tool(name: &str) -> PathBuf {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools.sh"))
        .args(["--where", name])
        .output()
        .expect("tests/tools.sh runs");
    let path = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end());
    assert!(path.is_file(), "{name} is missing: run `make tools`");
    path
}
