//! What others run to build this project: GitHub reads the workflows, and each thing they take is named by its commit.

use std::collections::BTreeMap;
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

/// The files of the workflows.
fn workflows() -> Vec<PathBuf> {
    let entries = fs::read_dir(path(".github/workflows")).unwrap();
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 1, "{files:?}");
    files
}

/// actionlint knows the grammar, the runners, and the inputs of the common actions.
#[test]
fn the_workflows_are_some_that_github_reads() {
    let ran = Command::new(tool("actionlint"))
        .args(["-no-color", "-shellcheck=", "-pyflakes="])
        .args(workflows())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}

/// A tag can be moved by whoever owns the action; the commit behind it cannot be changed.
#[test]
fn every_action_is_taken_by_its_commit_and_everywhere_in_one_version() {
    let mut taken = BTreeMap::new();
    for file in workflows() {
        let text = fs::read_to_string(&file).unwrap();
        for (_, used) in text.lines().filter_map(|l| l.split_once("uses: ")) {
            if used.starts_with("./") {
                continue;
            }
            let (action, place) = used.split_once('@').unwrap_or_default();
            let (commit, version) = place.split_once(" # v").unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            let is_whole = version.split('.').count() == 3 && version.split('.').all(is_number);
            assert!(
                is_commit && is_whole,
                "{used} is another one tomorrow, or nobody can tell which it is; write ACTION@COMMIT # vX.Y.Z"
            );
            let first = taken
                .entry(action.to_owned())
                .or_insert_with(|| place.to_owned());
            assert_eq!(first, place, "{action} is taken in two versions");
        }
    }
    assert!(taken.len() > 3, "{taken:?}");
}

/// From the oldest that the chart admits to the newest, and each is on the page.
#[test]
fn every_version_of_kubernetes_that_is_tried_is_in_a_workflow_and_on_its_page() {
    let list = read("tests/e2e/versions.txt");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let versions: Vec<_> = lines.filter_map(|l| l.split_whitespace().next()).collect();
    let (workflow, page) = (read(".github/workflows/ci.yml"), read("docs/kubernetes.md"));
    for version in &versions {
        assert!(
            workflow.contains(&format!("{{ kubernetes: \"{version}\", ")),
            "{version} is in no job of ci.yml"
        );
        assert!(
            page.contains(&format!("\n| {version}")),
            "{version} is in no row of docs/kubernetes.md"
        );
    }
    let oldest = versions.last().unwrap();
    let chart = read("deploy/charts/war-vol/Chart.yaml");
    assert!(
        chart.contains(&format!("\nkubeVersion: \">={oldest}.0-0\"")),
        "the chart's oldest version is not {oldest}"
    );
}

/// Who takes over a step of a job can do what the job may, and no more.
#[test]
fn each_job_of_a_release_may_write_what_it_makes_and_no_more() {
    assert!(!read(".github/workflows/ci.yml").contains(": write"));
    let text = read(".github/workflows/release.yml");
    let (head, jobs) = text.split_once("\njobs:\n").unwrap();
    assert!(head.contains("\npermissions: {}\n"), "{head}");
    let mut job = "";
    let mut rights = Vec::new();
    for line in jobs.lines() {
        let name = line.strip_prefix("  ").and_then(|l| l.strip_suffix(':'));
        if let Some(name) = name.filter(|n| !n.starts_with([' ', '#'])) {
            job = name;
        } else if let Some((right, _)) = line.trim().split_once(": write") {
            rights.push((job, right));
        }
    }
    let expected = [
        ("image", "packages"),
        ("chart", "packages"),
        ("sign", "attestations"),
        ("sign", "id-token"),
        ("sign", "packages"),
        ("release", "contents"),
    ];
    assert_eq!(rights, expected);
}

#[test]
fn nothing_is_published_before_the_tests_have_passed() {
    let text = read(".github/workflows/release.yml");
    for part in [
        "  tests:\n    needs: check\n    permissions:\n      contents: read\n    uses: ./.github/workflows/ci.yml\n",
        "\n  image:\n    needs: [check, tests, build]\n",
        "\n  chart:\n    needs: [check, image]\n",
        "\n  sign:\n    needs: [check, image, chart]\n",
        "\n  release:\n    needs: [check, image, chart, sign]\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
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
