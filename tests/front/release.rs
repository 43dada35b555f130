//! What a release is made with, as far as it needs no Docker: the versions that must agree, its notes, its chart.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::chart::helm_at;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Another one, which this tree never has.
const OTHER: &str = "9.9.9-rc.9";

/// What is compared, and the scripts.
const FILES: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "docs/install.md",
    "deploy/charts/war-vol/Chart.yaml",
    "deploy/examples/init-container.yaml",
    "deploy/kubernetes/war-vol.yaml",
    "deploy/release/check.sh",
    "deploy/release/notes.sh",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the script says on standard output, or else on standard error.
fn script(tree: &Path, name: &str, arguments: &[&str]) -> Result<String, String> {
    let ran = Command::new("bash")
        .arg(tree.join("deploy/release").join(name))
        .args(arguments)
        .output()
        .unwrap();
    let words = |bytes| String::from_utf8(bytes).unwrap();
    if ran.status.success() {
        Ok(words(ran.stdout))
    } else {
        Err(words(ran.stderr))
    }
}

fn changelog(heading: &str) -> String {
    format!(
        "# Changelog\n\n## [Unreleased]\n\n- Later.\n\n{heading}\n\n### Fixed\n\n- This.\n\n\
         ## [0.0.1] - 2020-01-31\n\n- Before.\n"
    )
}

fn heading() -> String {
    format!("## [{VERSION}] - 2026-01-31")
}

/// A copy of the files that name the version, on the day of a release.
fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in FILES {
        let copy = dir.path().join(name);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root().join(name), copy).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    fs::write(dir.path().join("CHANGELOG.md"), changelog(&heading())).unwrap();
    dir
}

#[test]
fn the_files_of_this_tree_name_one_version() {
    script(root(), "check.sh", &[]).unwrap();
}

#[test]
fn a_tree_is_released_in_its_own_version_only() {
    let tree = tree();
    for version in [VERSION.to_owned(), format!("v{VERSION}")] {
        script(tree.path(), "check.sh", &[&version]).unwrap();
    }
    for other in ["v", "", "0.1", "0.1.0+build", OTHER] {
        let said = script(tree.path(), "check.sh", &[other]).unwrap_err();
        assert!(said.contains("Cargo.toml has "), "{other}: {said}");
    }
}

#[test]
fn each_file_that_was_forgotten_is_named() {
    let tree = tree();
    for (name, line) in [
        ("Cargo.toml", "\nversion = \"VERSION\"\n"),
        (
            "Cargo.lock",
            "\nname = \"war-vol\"\nversion = \"VERSION\"\n",
        ),
        ("deploy/charts/war-vol/Chart.yaml", "\nversion: VERSION\n"),
        (
            "deploy/charts/war-vol/Chart.yaml",
            "\nappVersion: VERSION\n",
        ),
        (
            "deploy/examples/init-container.yaml",
            "image: war-vol:VERSION\n",
        ),
        ("deploy/kubernetes/war-vol.yaml", "image: war-vol:VERSION\n"),
        ("README.md", "registry.example.com/war-vol:VERSION"),
        ("docs/install.md", " --version VERSION"),
        ("docs/install.md", "version=VERSION"),
    ] {
        let file = tree.path().join(name);
        let text = fs::read_to_string(&file).unwrap();
        let (ours, other) = (
            line.replace("VERSION", VERSION),
            line.replace("VERSION", OTHER),
        );
        assert!(text.contains(&ours), "{name} has no {ours:?}");
        fs::write(&file, text.replacen(&ours, &other, 1)).unwrap();
        let said = script(tree.path(), "check.sh", &[VERSION]).unwrap_err();
        assert_eq!(
            said,
            format!("release: {name} has {OTHER}, not {VERSION}\n")
        );
        fs::write(&file, text).unwrap();
    }
    script(tree.path(), "check.sh", &[VERSION]).unwrap();
}

#[test]
fn a_file_that_names_no_version_is_no_agreement() {
    let tree = tree();
    for name in ["Cargo.lock", "deploy/charts/war-vol/Chart.yaml"] {
        let file = tree.path().join(name);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, "").unwrap();
        let said = script(tree.path(), "check.sh", &[]).unwrap_err();
        assert!(said.contains(name), "{said}");
        fs::write(&file, text).unwrap();
    }
}

#[test]
fn the_notes_of_a_release_are_its_section_of_the_changelog() {
    let tree = tree();
    let notes = script(tree.path(), "notes.sh", &[VERSION]).unwrap();
    assert_eq!(notes, "### Fixed\n\n- This.\n");
    for wrong in [
        format!("## [{VERSION}]"),
        format!("## [{VERSION}] - soon"),
        format!("## [{OTHER}] - 2026-01-31"),
        format!("{}\n\n## [0.0.2] - 2020-02-01", heading()),
    ] {
        fs::write(tree.path().join("CHANGELOG.md"), changelog(&wrong)).unwrap();
        let said = script(tree.path(), "check.sh", &[VERSION]).unwrap_err();
        assert!(
            said.contains("CHANGELOG.md has no section"),
            "{wrong}: {said}"
        );
    }
}

/// Who installs it names no image, and who mirrors the image names the registry or all of it.
#[test]
fn the_chart_of_a_release_names_its_image() {
    let dir = tempfile::tempdir().unwrap();
    let image = "registry.example.com/owner/war-vol";
    let arguments = [VERSION, image, dir.path().to_str().unwrap()];
    let package = script(root(), "chart.sh", &arguments).unwrap();
    let package = Path::new(package.trim_end());
    for (set, expected) in [
        ("", image),
        (
            "image.registry=mirror.example.com",
            "mirror.example.com/owner/war-vol",
        ),
        (
            "global.imageRegistry=mirror.example.com",
            "mirror.example.com/owner/war-vol",
        ),
        (
            "image.repository=mirror.example.com/war-vol",
            "mirror.example.com/war-vol",
        ),
    ] {
        let arguments = ["template", "war-vol", "--kube-version=1.34.0", "--set", set];
        let text = helm_at(package, &arguments).unwrap();
        let line = format!("image: {expected}:{VERSION}\n");
        assert_eq!(text.matches(&line).count(), 2, "{line}: {text}");
    }
}
