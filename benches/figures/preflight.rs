//! Before anything is measured: is this the binary that is meant, and does it work at all?

use std::fs;

use crate::origin::Origin;
use crate::outcome::{Outcome, say};
use crate::place::{Place, command};

/// The program.
pub(crate) const WAR_VOL: &str = env!("CARGO_BIN_EXE_war-vol");

/// What is measured against, and what measures.
const NEEDED: [&str; 9] = [
    "aria2c",
    "curl",
    "ldd",
    "mkfs.ext4",
    "mount",
    "nginx",
    "setpriv",
    "sha256sum",
    "strace",
];

/// Everything that is started later is there.
pub(crate) fn tools() -> Outcome {
    let mut missing = Vec::new();
    for tool in NEEDED {
        let found = command("sh")
            .args(["-c", "command -v \"$1\"", "sh", tool])
            .output()?;
        if !found.status.success() {
            missing.push(tool);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "missing: {}; `make tools` installs them on Debian",
        missing.join(", ")
    )
    .into())
}

/// It is static, and gets an object over TLS from an address: what a static C library does worst.
pub(crate) fn run(place: &Place, origin: &Origin) -> Outcome {
    let loaded = command("ldd").arg(WAR_VOL).output()?;
    let words = String::from_utf8_lossy(&loaded.stdout).into_owned()
        + &String::from_utf8_lossy(&loaded.stderr);
    if !words.contains("statically linked") && !words.contains("not a dynamic executable") {
        return Err(format!(
            "{WAR_VOL} is not static; `make bench` builds it so. It loads\n{words}"
        )
        .into());
    }
    let file = place.path("tls.bin");
    let fetched = command(WAR_VOL)
        .args(["fetch", &origin.tls_url(&origin.small), "-o"])
        .arg(&file)
        .arg("--ca-file")
        .arg(origin.certificate())
        .args(["--checksum", &format!("sha256:{}", origin.small.sha256)])
        .output()?;
    if !fetched.status.success() || fs::metadata(&file)?.len() != origin.small.size {
        let words = String::from_utf8_lossy(&fetched.stderr);
        return Err(format!("no object over TLS: {words}").into());
    }
    let size = fs::metadata(WAR_VOL)?.len() as f64 / f64::from(1 << 20);
    say(format_args!(
        "the program is static, {size:.1} MiB, and gets an object over TLS"
    ));
    place.remove("tls.bin")
}
