//! What others run to build this project: GitHub reads the workflow, and each thing it takes is named by its version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::tool;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// actionlint knows the grammar, the runners, and the inputs of the common actions.
#[test]
fn the_workflow_is_one_that_github_reads() {
    let ran = Command::new(tool("actionlint"))
        .args(["-no-color", "-shellcheck=", "-pyflakes="])
        .arg(path(".github/workflows/ci.yml"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}

#[test]
fn every_action_is_taken_in_one_version() {
    let workflow = read(".github/workflows/ci.yml");
    let used = workflow.lines().filter_map(|l| l.split_once("uses: "));
    let mut count = 0;
    for (_, action) in used {
        let (_, version) = action.split_once('@').unwrap_or_default();
        let numbers = version.strip_prefix('v').unwrap_or_default();
        let whole = numbers.split('.').count() == 3 && numbers.split('.').all(is_number);
        assert!(whole, "{action} is another one tomorrow");
        count += 1;
    }
    assert!(count > 3, "{workflow}");
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

#[test]
fn the_dockerfile_builds_with_the_versions_of_this_tree() {
    let (dockerfile, tools) = (read("Dockerfile"), read("tests/tools.sh"));
    for name in ["cargo-auditable", "cargo-cyclonedx"] {
        let (_, rest) = dockerfile
            .split_once(&format!("{name} --version "))
            .unwrap_or_else(|| panic!("the Dockerfile does not install {name}"));
        let version = rest.split_whitespace().next().unwrap();
        let line = format!("\n{}_version={version}\n", name.replace('-', "_"));
        assert!(tools.contains(&line), "tests/tools.sh has no {line}");
    }
    let toolchain = read("rust-toolchain.toml");
    let (_, channel) = toolchain.split_once("channel = \"").unwrap();
    let image = format!("FROM rust:{}-", channel.split('"').next().unwrap());
    assert!(dockerfile.contains(&image), "{image}…: {dockerfile}");
}
