//! Maven's own resolver is asked for the same coordinates in the same repository, and must ask it for the same file.

use std::path::Path;
use std::process::Command;

use crate::node::bytes;
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

use super::hash;

/// The plugin that fetches one artifact.
const GET: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get";

struct Case {
    /// Also the artifact's name.
    name: &'static str,
    /// What follows the artifact's name in its coordinates.
    version: &'static str,
    /// `maven-metadata.xml` of the artifact.
    versions: &'static str,
    /// That of 1.0-SNAPSHOT.
    builds: &'static str,
    /// The files, without the artifact's directory and name.
    files: &'static [&'static str],
    /// The one that is meant.
    expected: Option<&'static str>,
}

const NOTHING: Case = Case {
    name: "",
    version: "",
    versions: "",
    builds: "",
    files: &[],
    expected: None,
};

const BUILDS: &[&str] = &[
    "1.0-SNAPSHOT/-1.0-20260131.120000-7.war",
    "1.0-SNAPSHOT/-1.0-20260131.120000-8.war",
    "1.0-SNAPSHOT/-1.0-20260131.120000-8-classes.war",
    "1.0-SNAPSHOT/-1.0-SNAPSHOT.war",
];

const CASES: &[Case] = &[
    Case {
        name: "fixed",
        version: "2.0:war",
        files: &["2.0/-2.0.war", "2.0/-2.0.jar"],
        expected: Some("2.0/-2.0.war"),
        ..NOTHING
    },
    Case {
        name: "packaging",
        version: "2.0:maven-plugin",
        files: &["2.0/-2.0.jar", "2.0/-2.0.maven-plugin"],
        expected: Some("2.0/-2.0.jar"),
        ..NOTHING
    },
    Case {
        name: "plus",
        version: "1.0+5~6:war",
        files: &["1.0+5~6/-1.0+5~6.war"],
        expected: Some("1.0+5~6/-1.0+5~6.war"),
        ..NOTHING
    },
    Case {
        name: "latest",
        version: "LATEST:war",
        versions: "<latest>1.0-SNAPSHOT</latest><release>1.9</release><versions><version>2.0</version></versions>",
        builds: "<snapshot><timestamp>20260131.120000</timestamp><buildNumber>8</buildNumber></snapshot>",
        files: BUILDS,
        expected: Some("1.0-SNAPSHOT/-1.0-20260131.120000-8.war"),
    },
    Case {
        name: "latest-of-releases",
        version: "LATEST:war",
        versions: "<release>1.9</release><versions><version>2.0</version></versions>",
        files: &["1.9/-1.9.war", "2.0/-2.0.war"],
        expected: Some("1.9/-1.9.war"),
        ..NOTHING
    },
    Case {
        name: "release",
        version: "RELEASE:war",
        versions: "<latest>2.0</latest><release>1.9</release>",
        files: &["1.9/-1.9.war", "2.0/-2.0.war"],
        expected: Some("1.9/-1.9.war"),
        ..NOTHING
    },
    Case {
        name: "listed",
        version: "LATEST:war",
        versions: "<versions><version>2.0</version></versions>",
        files: &["2.0/-2.0.war"],
        expected: None,
        ..NOTHING
    },
    Case {
        name: "pom-alone",
        version: "1.0-SNAPSHOT:war",
        builds: "<snapshot><timestamp>20260131.120000</timestamp><buildNumber>8</buildNumber></snapshot>\
                 <snapshotVersions><snapshotVersion><extension>pom</extension><value>1.0-20260131.120000-8</value>\
                 <updated>20260131120000</updated></snapshotVersion></snapshotVersions>",
        files: BUILDS,
        expected: Some("1.0-SNAPSHOT/-1.0-SNAPSHOT.war"),
        ..NOTHING
    },
    Case {
        name: "two-entries",
        version: "1.0-SNAPSHOT:war",
        builds: "<snapshotVersions>\
                 <snapshotVersion><extension>war</extension><value>1.0-20260131.120000-8</value>\
                 <updated>20260131120100</updated></snapshotVersion>\
                 <snapshotVersion><extension>war</extension><value>1.0-20260131.120000-7</value>\
                 <updated>20260131120000</updated></snapshotVersion></snapshotVersions>",
        files: BUILDS,
        expected: Some("1.0-SNAPSHOT/-1.0-20260131.120000-8.war"),
        ..NOTHING
    },
    Case {
        name: "classifier",
        version: "1.0-SNAPSHOT:war:classes",
        builds: "<snapshotVersions>\
                 <snapshotVersion><extension>war</extension><value>1.0-20260131.120000-7</value>\
                 <updated>20260131120100</updated></snapshotVersion>\
                 <snapshotVersion><classifier>classes</classifier><extension>war</extension>\
                 <value>1.0-20260131.120000-8</value><updated>20260131120000</updated></snapshotVersion>\
                 </snapshotVersions>",
        files: BUILDS,
        expected: Some("1.0-SNAPSHOT/-1.0-20260131.120000-8-classes.war"),
        ..NOTHING
    },
    Case {
        name: "no-metadata",
        version: "1.0-SNAPSHOT:war",
        files: BUILDS,
        expected: Some("1.0-SNAPSHOT/-1.0-SNAPSHOT.war"),
        ..NOTHING
    },
];

impl Case {
    fn coordinates(&self) -> String {
        format!("com.example:{}:{}", self.name, self.version)
    }

    fn dir(&self) -> String {
        format!("/maven/com/example/{}", self.name)
    }

    fn path(&self, file: &str) -> String {
        let (dir, end) = file.rsplit_once('/').unwrap();
        format!("{}/{dir}/{}{end}", self.dir(), self.name)
    }

    fn put(&self, origin: &Origin) {
        let metadata = [("", self.versions), ("/1.0-SNAPSHOT", self.builds)];
        for (dir, versioning) in metadata.into_iter().filter(|(_, text)| !text.is_empty()) {
            let text = format!("<metadata><versioning>{versioning}</versioning></metadata>");
            let path = format!("{}{dir}/maven-metadata.xml", self.dir());
            origin.put(&path, Object::new(text.into_bytes()));
        }
        for (seed, file) in (1..).zip(self.files) {
            let (path, content) = (self.path(file), bytes(seed, 1000));
            let sidecar = hash("sha1", &content).into_bytes();
            origin.put(&format!("{path}.sha1"), Object::new(sidecar));
            origin.put(&path, Object::new(content));
        }
    }
}

/// What was asked for that is neither metadata nor a checksum.
fn asked(origin: &Origin, from: usize) -> Vec<String> {
    let log = origin.log().into_iter().skip(from);
    let files = log.filter(|seen| seen.path.ends_with(".war") || seen.path.ends_with("jar"));
    files.map(|seen| seen.path).collect()
}

fn maven(local: &Path, case: &Case, origin: &Origin) -> bool {
    let output = Command::new("mvn")
        .args(["--batch-mode", GET, "-Dtransitive=false"])
        .arg(format!("-Dartifact={}", case.coordinates()))
        .arg(format!(
            "-DremoteRepositories=referee::::{}",
            origin.url("/maven/")
        ))
        .arg(format!("-Dmaven.repo.local={}", local.display()))
        .output()
        .expect("mvn: run make tools");
    output.status.success()
}

#[test]
fn coordinates_mean_the_file_that_mavens_own_resolver_takes() {
    // Its plugins stay there; what it fetches here has a name of this run.
    let local = Path::new(env!("CARGO_TARGET_TMPDIR")).join("maven");
    let _ = std::fs::remove_dir_all(local.join("com/example"));
    let (sandbox, origin) = (Sandbox::new(), Origin::start());
    for case in CASES {
        case.put(&origin);
        let expected: Vec<_> = case.expected.into_iter().map(|f| case.path(f)).collect();
        let before = origin.log().len();
        let is_there = maven(&local, case, &origin);
        assert_eq!(is_there, case.expected.is_some(), "Maven: {}", case.name);
        assert_eq!(asked(&origin, before), expected, "Maven: {}", case.name);
        let before = origin.log().len();
        let coordinates = format!("maven:{}", case.coordinates());
        let repository = origin.url("/maven/");
        let fetched = sandbox.run([
            "fetch",
            &coordinates,
            "--repository",
            &repository,
            "-o",
            "out",
        ]);
        assert_eq!(
            fetched.code == 0,
            is_there,
            "{}: {}",
            case.name,
            fetched.stderr
        );
        assert_eq!(asked(&origin, before), expected, "{}", case.name);
    }
}
