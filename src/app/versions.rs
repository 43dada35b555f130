//! The least versions of what the driver runs on, as docs/install.md lists them, and what is said where one is older.
//!
//! It is said and nothing is refused: a distribution's old version may have what is needed, and what really cannot be
//! done is found by trying (the self-test of the mounts, kubelet's verdict on the registration).

use std::sync::Arc;

use tokio::sync::watch;

use crate::cluster::NodeInfo;

/// Major and minor version, which decide.
type Version = (u32, u32);

/// The least version of the kernel.
pub const KERNEL: Version = (5, 11);

/// The least version of Kubernetes, on the node and of the API server.
pub const KUBERNETES: Version = (1, 29);

/// The least version of containerd. Others are not judged: CRI-O has kubelet's own version.
pub const CONTAINERD: Version = (1, 7);

/// What this node runs, as far as it is known.
#[derive(Clone)]
pub(super) struct Versions {
    kernel: Arc<str>,
    /// Where it is told what the node says of itself.
    pub(super) node: watch::Sender<NodeInfo>,
}

impl Versions {
    /// The kernel's; of the others the node may tell later.
    pub(super) fn of_this_machine() -> Self {
        let kernel = rustix::system::uname();
        let versions = Self {
            kernel: kernel.release().to_string_lossy().into(),
            node: watch::Sender::new(NodeInfo::default()),
        };
        versions.log();
        versions
    }

    /// Logs what is told from now on, for ever.
    pub(super) async fn listen(self) {
        let mut told = self.node.subscribe();
        while told.changed().await.is_ok() {
            self.log();
        }
    }

    /// A line for each version that is too old.
    pub(super) fn too_old(&self) -> Vec<String> {
        too_old(&self.kernel, &self.node.borrow())
    }

    fn log(&self) {
        for line in self.too_old() {
            tracing::warn!("{line}");
        }
    }
}

fn too_old(kernel: &str, node: &NodeInfo) -> Vec<String> {
    let containerd = node.container_runtime_version.strip_prefix("containerd://");
    let all = [
        (
            "Linux",
            kernel,
            KERNEL,
            "before 5.10 writes to volumes are slow, and before 5.8 volumes cannot be mounted; upgrade this node's \
             kernel",
        ),
        (
            "kubelet",
            &node.kubelet_version,
            KUBERNETES,
            "it cannot register the driver, so volumes cannot be mounted; upgrade this node",
        ),
        (
            "containerd",
            containerd.unwrap_or_default(),
            CONTAINERD,
            "the driver is not tested with it; upgrade this node",
        ),
    ];
    all.into_iter()
        .filter(|(_, found, least, _)| version(found).is_some_and(|v| v < *least))
        .map(|(what, found, (major, minor), so)| {
            let found = crate::artifact::shown(found);
            format!("{what} {found} is older than {major}.{minor}: {so}")
        })
        .collect()
}

/// `5.10.0-30-amd64`, `v1.29.3+k3s1`; nothing where it is no version.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?;
    let end = minor.find(|c: char| !c.is_ascii_digit());
    let minor = minor.get(..end.unwrap_or(minor.len()))?.parse().ok()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kubelet: &str, runtime: &str) -> NodeInfo {
        NodeInfo {
            kubelet_version: kubelet.to_owned(),
            container_runtime_version: runtime.to_owned(),
        }
    }

    #[test]
    fn what_is_older_is_named_with_what_goes_wrong() {
        let lines = too_old(
            "5.10.0-30-amd64",
            &node("v1.28.15-gke.1", "containerd://1.6.20~ds1"),
        );
        assert_eq!(lines.len(), 3, "{lines:?}");
        for (line, start) in lines.iter().zip([
            "Linux \"5.10.0-30-amd64\" is older than 5.11: ",
            "kubelet \"v1.28.15-gke.1\" is older than 1.29: ",
            "containerd \"1.6.20~ds1\" is older than 1.7: ",
        ]) {
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_is_new_enough_or_unknown() {
        for (kernel, kubelet, runtime) in [
            ("5.11", "v1.29.0", "containerd://1.7.0"),
            ("6.18.5", "v1.34.4+k3s1", "containerd://2.3.4"),
            ("10.0-rc1", "v2.0.0", "cri-o://1.20.0"),
            ("", "", ""),
            ("odd", "v1", "containerd://Unknown"),
        ] {
            let lines = too_old(kernel, &node(kubelet, runtime));
            assert!(lines.is_empty(), "{lines:?}");
        }
    }
}
