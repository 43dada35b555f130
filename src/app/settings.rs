//! What was typed for a driver, and what is wrong with it.

use std::path::Path;

use super::Error;
use crate::config::Serving;
use crate::csi::{Endpoint, Registration};
use crate::volume::Kubelet;

/// At most 63 letters, digits, dashes and dots, and at both ends a letter or digit (csi.proto, GetPluginInfoResponse).
pub(super) fn driver_name(name: &str) -> Result<String, Error> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    if bytes.len() <= 63
        && bytes.iter().copied().all(plain)
        && [bytes.first(), bytes.last()].into_iter().all(ends)
    {
        return Ok(name.to_owned());
    }
    Err(Error::Setting(format!(
        "--driver-name {}: use at most 63 letters, digits, dashes and dots, with a letter or digit at both ends",
        crate::artifact::shown(name)
    )))
}

pub(super) fn node_id(id: Option<&str>) -> Result<String, Error> {
    let id = id.unwrap_or_default();
    match id.len() {
        0 => Err(Error::Setting(
            "--node-id is missing; set it to this node's name in the cluster (spec.nodeName)"
                .to_owned(),
        )),
        1..=192 => Ok(id.to_owned()),
        n => Err(Error::Setting(format!(
            "--node-id has {n} bytes; at most 192 are allowed"
        ))),
    }
}

pub(super) fn kubelet(dir: &Path) -> Result<Kubelet, Error> {
    let wrong = |why: String| {
        Error::Setting(format!(
            "--kubelet-dir {}: {why}; use kubelet's own directory (--root-dir), at the same path that kubelet uses",
            dir.display()
        ))
    };
    if !dir.is_absolute() {
        return Err(wrong("not absolute".to_owned()));
    }
    Kubelet::at(dir).map_err(|e| wrong(e.to_string()))
}

/// The registration with kubelet, if this driver is the one who does it.
pub(super) fn registration(
    serving: &Serving,
    name: &str,
    endpoint: &Endpoint,
) -> Result<Option<Registration>, Error> {
    let Some(dir) = &serving.registration_dir else {
        return Ok(None);
    };
    if !serving.mode.node() {
        return Err(Error::Setting(
            "--registration-dir is only for --mode node and all; remove it".to_owned(),
        ));
    }
    let on_host = match &serving.endpoint_on_host {
        None => endpoint.clone(),
        Some(path) => {
            let path = path.to_string_lossy();
            let wrong = |e| Error::Setting(format!("--endpoint-on-host \"{path}\": {e}"));
            path.parse().map_err(wrong)?
        }
    };
    let registration = Registration::new(dir, name, &on_host).map_err(|e| {
        Error::Setting(format!(
            "--registration-dir {}: {e}; use plugins_registry in kubelet's directory",
            dir.display()
        ))
    });
    registration.map(Some)
}
