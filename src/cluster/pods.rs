//! Whether one pod is Ready, and since when.

use kube::Api;
use kube::api::ListParams;
use kube::core::{ApiResource, GroupVersionKind, NotUsed, Object};
use serde::Deserialize;
use tokio::time::timeout;

use super::api::{TIMEOUT, explained, silent};
use super::{Error, Watcher};

/// What it is asked for.
const ASKED: &str = "list the pod";

type Pod = Object<NotUsed, Status>;

#[derive(Clone, Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    r#type: String,
    status: String,
    last_transition_time: Option<String>,
    message: Option<String>,
}

/// Whether a pod is Ready (its condition of that name).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodReadiness {
    /// It is.
    Ready,
    /// It is not.
    Unready {
        /// Since when, in seconds since 1970; 0 where that is not said.
        since: u64,
        /// Why.
        why: String,
    },
    /// There is none of this uid any more, or it is about to end.
    Ending,
}

impl Watcher {
    /// Looks at one pod of a node. A list with selectors: then no right is needed that the watch does not need, too.
    pub async fn readiness(
        &self,
        node: &str,
        (namespace, name, uid): (&str, &str, &str),
    ) -> Result<PodReadiness, Error> {
        let kind = GroupVersionKind::gvk("", "v1", "Pod");
        let pods = ApiResource::from_gvk_with_plural(&kind, "pods");
        let api: Api<Pod> = Api::namespaced_with(self.client.clone(), namespace, &pods);
        let one = ListParams::default()
            .fields(&format!("metadata.name={name},spec.nodeName={node}"))
            .limit(1);
        let found = match timeout(TIMEOUT, api.list(&one)).await {
            Ok(found) => found.map_err(|e| explained(&self.account, (ASKED, name), e))?,
            Err(_) => return Err(silent(&self.account, ASKED)),
        };
        let is_it = |pod: &Pod| {
            pod.metadata.uid.as_deref() == Some(uid) && pod.metadata.deletion_timestamp.is_none()
        };
        let pod = found.items.into_iter().find(is_it);
        Ok(pod.map_or(PodReadiness::Ending, |pod| {
            readiness(&pod.status.unwrap_or_default())
        }))
    }
}

fn readiness(status: &Status) -> PodReadiness {
    let ready = status.conditions.iter().find(|c| c.r#type == "Ready");
    let Some(ready) = ready.filter(|c| c.status != "True") else {
        return PodReadiness::Ready;
    };
    let since = ready.last_transition_time.as_deref();
    let since = since.and_then(|at| humantime::parse_rfc3339_weak(at).ok());
    let since = since.and_then(|at| at.duration_since(std::time::SystemTime::UNIX_EPOCH).ok());
    PodReadiness::Unready {
        since: since.unwrap_or_default().as_secs(),
        why: ready.message.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: &str) -> PodReadiness {
        readiness(&serde_json::from_str(status).unwrap())
    }

    #[test]
    fn a_pod_is_ready_or_says_since_when_it_is_not() {
        let conditions = |of: &str| {
            let other = r#"{"type": "PodScheduled", "status": "True"}"#;
            format!(r#"{{"phase": "Running", "conditions": [{other}, {of}]}}"#)
        };
        let unready = conditions(
            r#"{"type": "Ready", "status": "False", "lastProbeTime": null, "lastTransitionTime": "2026-11-27T10:00:01Z",
                "reason": "ContainersNotReady", "message": "containers with unready status: [tomcat]"}"#,
        );
        assert_eq!(
            read(&unready),
            PodReadiness::Unready {
                since: 1_795_773_601,
                why: "containers with unready status: [tomcat]".to_owned()
            }
        );
        let ready =
            r#"{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-27T10:00:01Z"}"#;
        assert_eq!(read(&conditions(ready)), PodReadiness::Ready);
        // Nothing is taken back because of a pod that says nothing.
        assert_eq!(read("{}"), PodReadiness::Ready);
        let bare = conditions(r#"{"type": "Ready", "status": "Unknown"}"#);
        assert!(matches!(
            read(&bare),
            PodReadiness::Unready { since: 0, .. }
        ));
    }
}
