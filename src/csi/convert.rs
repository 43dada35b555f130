//! From a request to what the domain understands. Pure; each refusal names what is allowed.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use secrecy::SecretString;

use super::Error;
use super::node::Kubelet;
use super::proto::volume_capability::AccessType;
use super::proto::volume_capability::access_mode::Mode;
use super::proto::{NodePublishVolumeRequest, VolumeCapability};
use crate::volume::{Publish, Sharing, Target, Writable};

/// Most bytes of an id: the size that the specification gives to every field that has none of its own.
const LONGEST_ID: usize = 128;

/// The mount options that a bind and an overlay keep in a container too; a runtime drops others, such as noexec.
pub(super) const FLAGS: [&str; 5] = ["ro", "rw", "nosuid", "nodev", "relatime"];

/// What kubelet and external-provisioner write of their own; it is no part of a volume.
const KUBERNETES: [&str; 2] = ["csi.storage.k8s.io/", "storage.kubernetes.io/"];

/// Says whether a volume lives and dies with its pod. kubelet writes it into every call (CSIDriver `podInfoOnMount`).
const EPHEMERAL: &str = "csi.storage.k8s.io/ephemeral";

/// What kubelet never puts into an inline volume, so that whoever wrote the pod has (it overwrites the pod's own keys).
const FORGED: [&str; 3] = [
    "csi.storage.k8s.io/pvc/",
    "csi.storage.k8s.io/pv/",
    "csi.storage.k8s.io/serviceAccount.tokens",
];

/// The id of a volume.
pub(super) fn id(text: &str) -> Result<&str, Error> {
    match text.len() {
        0 => Err(Error::Missing("volume_id")),
        bytes if bytes > LONGEST_ID => Err(Error::TooLong {
            field: "volume_id",
            bytes,
            most: LONGEST_ID,
        }),
        _ => Ok(text),
    }
}

/// Where a volume is to be seen.
pub(super) fn target(kubelet: &Kubelet, path: &str) -> Result<Target, Error> {
    if path.is_empty() {
        return Err(Error::Missing("target_path"));
    }
    Target::within(&kubelet.dir, Path::new(path)).map_err(Error::Target)
}

/// The attributes that are ours.
pub(super) fn attributes(context: &HashMap<String, String>) -> BTreeMap<String, String> {
    let ours = |key: &str| !KUBERNETES.iter().any(|prefix| key.starts_with(prefix));
    context
        .iter()
        .filter(|(key, _)| ours(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// How a volume may be used, by what a capability says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capability {
    pub(super) reads_only: bool,
    pub(super) sharing: Sharing,
    pub(super) group: Option<u32>,
}

/// What a capability asks for, if one node's copy of an artifact can give that.
pub(super) fn capability(asked: Option<&VolumeCapability>) -> Result<Capability, Error> {
    let asked = asked.ok_or(Error::Missing("volume_capability"))?;
    let mount = match &asked.access_type {
        Some(AccessType::Mount(mount)) => mount,
        Some(AccessType::Block(_)) => return Err(Error::Block),
        None => return Err(Error::Missing("volume_capability.access_type")),
    };
    let mode = asked
        .access_mode
        .ok_or(Error::Missing("volume_capability.access_mode"))?;
    let mode = Mode::try_from(mode.mode).map_err(|e| Error::Mode(e.0))?;
    let (reads_only, sharing) = match mode {
        Mode::SingleNodeWriter | Mode::SingleNodeSingleWriter => (false, Sharing::OneTarget),
        Mode::SingleNodeMultiWriter => (false, Sharing::ManyTargets),
        Mode::SingleNodeReaderOnly | Mode::MultiNodeReaderOnly => (true, Sharing::ManyTargets),
        Mode::MultiNodeSingleWriter | Mode::MultiNodeMultiWriter => {
            return Err(Error::MultiWriter(mode.as_str_name()));
        }
        Mode::Unknown => return Err(Error::Missing("volume_capability.access_mode")),
    };
    if let Some(flag) = mount
        .mount_flags
        .iter()
        .find(|f| !FLAGS.contains(&f.as_str()))
    {
        return Err(Error::Flag(flag.clone()));
    }
    let group = match mount.volume_mount_group.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| Error::Group(text.to_owned()))?),
    };
    Ok(Capability {
        reads_only: reads_only || mount.mount_flags.iter().any(|f| f == "ro"),
        sharing,
        group,
    })
}

/// A publish, at a target that was looked at already.
pub(super) fn publish(
    request: NodePublishVolumeRequest,
    target: Target,
    kubelet: &Kubelet,
) -> Result<Publish, Error> {
    let is_inline = request
        .volume_context
        .get(EPHEMERAL)
        .is_some_and(|v| v == "true");
    let forged = |key: &&String| FORGED.iter().any(|prefix| key.starts_with(prefix));
    if is_inline && let Some(key) = request.volume_context.keys().find(forged) {
        return Err(Error::Forged(key.clone()));
    }
    let asked = capability(request.volume_capability.as_ref())?;
    let writable = match (asked.reads_only, is_inline) {
        (true, _) => Writable::No,
        (false, true) => Writable::Yes,
        (false, false) => Writable::IfScratch,
    };
    let secrets = request.secrets.into_iter();
    Ok(Publish {
        attributes: attributes(&request.volume_context),
        volume: request.volume_id,
        target,
        secrets: secrets.map(|(k, v)| (k, SecretString::from(v))).collect(),
        readonly: request.readonly,
        writable,
        sharing: asked.sharing,
        group: asked.group,
        owner: kubelet.owner(),
    })
}
