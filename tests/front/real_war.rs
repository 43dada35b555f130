//! A real WAR from Maven Central.

use std::fs;

use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;
use crate::tools::tool;

#[test]
fn a_real_war_arrives_byte_for_byte_in_every_form_of_a_volume() {
    let (sandbox, origin) = (Sandbox::new(), Origin::start());
    let war = fs::read(tool("war")).unwrap();
    assert!(war.starts_with(b"PK\x03\x04") && war.len() > 100_000);
    origin.put("/jolokia.war", Object::new(war.clone()));
    let forms: [(&str, &[&str]); 3] = [
        ("writable", &[]),
        ("read-only", &["--read-only"]),
        ("copy", &["--layout", "copy"]),
    ];
    for (dir, flags) in forms {
        sandbox.mount(&origin.url("/jolokia.war"), dir, flags);
        let shown = fs::read(sandbox.path(dir).join("jolokia.war")).unwrap();
        assert!(shown == war, "{dir}: other bytes");
    }
    // Without a checksum the origin is asked each time, but sends the bytes once.
    assert_eq!(
        origin.bytes_sent("/jolokia.war"),
        u64::try_from(war.len()).unwrap()
    );
    for (dir, _) in forms {
        sandbox.run(["unmount", dir]).must(0);
    }
    sandbox.assert_nothing_left();
}
