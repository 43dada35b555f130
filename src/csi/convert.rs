//! From a request to what the domain understands. Pure; each refusal names what is allowed.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use prost::Message;
use secrecy::SecretString;

use super::Error;
use super::error::FLAGS;
use super::proto::volume_capability::AccessType;
use super::proto::volume_capability::access_mode::Mode;
use super::proto::{CreateVolumeRequest, NodePublishVolumeRequest, VolumeCapability};
use crate::volume::claims::Provision;
use crate::volume::{Claim, Kubelet, Pod, PublishRequest, Sharing, Target, Writable};

/// Most bytes of an id or a name: the size that the specification gives to every field that has none of its own.
const LONGEST: usize = 128;

/// What kubelet and external-provisioner write of their own; it is no part of a volume.
const KUBERNETES: [&str; 2] = ["csi.storage.k8s.io/", "storage.kubernetes.io/"];

/// Says whether a volume lives and dies with its pod. kubelet writes it into every call (CSIDriver `podInfoOnMount`).
const EPHEMERAL: &str = "csi.storage.k8s.io/ephemeral";

/// What kubelet says of the pod; it overwrites whatever else says so (`podInfoOnMount`).
const NAMESPACE: &str = "csi.storage.k8s.io/pod.namespace";
const POD: &str = "csi.storage.k8s.io/pod.name";
const UID: &str = "csi.storage.k8s.io/pod.uid";
const SERVICE_ACCOUNT: &str = "csi.storage.k8s.io/serviceAccount.name";

/// The claim that a volume is provisioned for, where external-provisioner says so (`--extra-create-metadata`). What we
/// give back of it comes with each publish.
const CLAIM: [&str; 2] = [
    "csi.storage.k8s.io/pvc/namespace",
    "csi.storage.k8s.io/pvc/name",
];

/// What kubelet never puts into an inline volume, so that whoever wrote the pod has (it overwrites the pod's own keys).
const FORGED: [&str; 3] = [
    "csi.storage.k8s.io/pvc/",
    "csi.storage.k8s.io/pv/",
    "csi.storage.k8s.io/serviceAccount.tokens",
];

/// The id of a volume.
pub(super) fn id(text: &str) -> Result<&str, Error> {
    given("volume_id", text)
}

/// The name of a volume that is to be provisioned.
pub(super) fn name(text: &str) -> Result<&str, Error> {
    given("name", text)
}

/// A field that must be there, and of the length that the specification allows.
fn given<'a>(field: &'static str, text: &'a str) -> Result<&'a str, Error> {
    match text.len() {
        0 => Err(Error::Missing(field)),
        bytes if bytes > LONGEST => Err(Error::TooLong {
            field,
            bytes,
            most: LONGEST,
        }),
        _ => Ok(text),
    }
}

/// Where a volume is to be seen.
pub(super) fn target(kubelet: &Kubelet, path: &str) -> Result<Target, Error> {
    if path.is_empty() {
        return Err(Error::Missing("target_path"));
    }
    kubelet.target(Path::new(path)).map_err(Error::Target)
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
        Mode::SingleNodeReaderOnly => (true, Sharing::ManyTargets),
        Mode::MultiNodeReaderOnly => (true, Sharing::ManyNodes),
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

/// What all of these capabilities ask for can be had, and something is asked for.
pub(super) fn capabilities(asked: &[VolumeCapability]) -> Result<(), Error> {
    if asked.is_empty() {
        return Err(Error::Missing("volume_capabilities"));
    }
    asked.iter().try_for_each(|c| capability(Some(c)).map(drop))
}

/// A volume to be provisioned. Its secrets are nobody's here, and are dropped unread; what topology it asks for does
/// not matter, because every node can show it.
///
/// `classes`: whether nodes follow VolumeAttributesClasses. Then any volume may get one later whose variables name its
/// claim.
pub(super) fn provision(request: CreateVolumeRequest, classes: bool) -> Result<Provision, Error> {
    name(&request.name)?;
    capabilities(&request.volume_capabilities)?;
    if request.volume_content_source.is_some() {
        return Err(Error::Content);
    }
    if !request.mutable_parameters.is_empty() && !classes {
        return Err(Error::Mutable);
    }
    let is_fstype = |key: &&String| key.eq_ignore_ascii_case("fstype");
    if let Some(key) = request.parameters.keys().find(is_fstype) {
        return Err(Error::FsType(key.clone()));
    }
    let range = request.capacity_range.unwrap_or_default();
    let required = size("capacity_range.required_bytes", range.required_bytes)?;
    let limit = size("capacity_range.limit_bytes", range.limit_bytes)?;
    if limit > 0 && required > limit {
        return Err(Error::NoSize { required, limit });
    }
    let uses = request.volume_capabilities.iter();
    let mut uses: Vec<_> = uses.map(Message::encode_to_vec).collect();
    uses.sort();
    Ok(Provision {
        claim: only(&request.parameters, &CLAIM),
        needs_claim: classes,
        parameters: attributes(&request.parameters),
        class: attributes(&request.mutable_parameters),
        name: request.name,
        uses,
        required,
        limit,
    })
}

fn only(all: &HashMap<String, String>, keys: &[&str]) -> BTreeMap<String, String> {
    let one = |key: &&str| Some(((*key).to_owned(), all.get(*key)?.clone()));
    keys.iter().filter_map(one).collect()
}

/// The PersistentVolume whose target this is: kubelet names a directory after it, and says its name nowhere else
/// (`getTargetPath` in its csi_mounter.go).
fn persistent_volume(target: &Path) -> Option<String> {
    let mut names = target.iter().rev();
    let (end, name, plugin) = (names.next()?, names.next()?, names.next()?);
    let is_of_kubelet = end == "mount" && plugin == "kubernetes.io~csi";
    Some(name.to_str()?.to_owned()).filter(|_| is_of_kubelet)
}

fn size(field: &'static str, bytes: i64) -> Result<u64, Error> {
    u64::try_from(bytes).map_err(|_| Error::Negative { field, bytes })
}

/// A publish, at a target that was looked at already.
pub(super) fn publish(
    request: NodePublishVolumeRequest,
    target: Target,
    (kubelet, node): (&Kubelet, &str),
) -> Result<PublishRequest, Error> {
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
    let said = |key| request.volume_context.get(key).cloned().unwrap_or_default();
    let pod = Pod {
        namespace: said(NAMESPACE),
        name: said(POD),
        uid: said(UID),
        service_account: said(SERVICE_ACCOUNT),
    };
    let [namespace, name] = CLAIM.map(said);
    // A volume made by hand may say anything, and a pod sees the claims of its own namespace alone.
    let claim =
        (!name.is_empty() && namespace == pod.namespace).then_some(Claim { namespace, name });
    let says_lasting = request.volume_context.get(EPHEMERAL);
    let persistent_volume = says_lasting
        .filter(|v| *v == "false")
        .and_then(|_| persistent_volume(&target.path()));
    let secrets = request.secrets.into_iter();
    Ok(PublishRequest {
        attributes: attributes(&request.volume_context),
        volume: request.volume_id,
        target,
        secrets: secrets.map(|(k, v)| (k, SecretString::from(v))).collect(),
        readonly: request.readonly,
        writable,
        sharing: asked.sharing,
        group: asked.group,
        pod: Some(pod),
        claim,
        persistent_volume,
        node: Some(node.to_owned()),
        owner: kubelet.owner(),
    })
}
