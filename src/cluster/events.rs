//! Events of pods (events.k8s.io/v1).
//!
//! One that says the same of the same pod again within six minutes becomes a series: the first one is told how often. What
//! is said counts for that, so kube's own recorder does not serve: it merges events of the same reason, and the words of
//! the later ones are lost.

use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use tokio::time::timeout;

use super::api::{TIMEOUT, explained};
use super::client::{self, Names};
use super::{Account, Error};

/// How long events of the same words are one series.
const SERIES: Duration = Duration::from_secs(360);

/// How much of a pod's name stands in that of an event, which has at most 253 bytes.
const PREFIX: usize = 200;

/// The longest `reportingInstance`, in bytes; a node's name may be longer.
const INSTANCE: usize = 128;

/// How many are remembered for that.
const REMEMBERED: usize = 1000;

/// What a pod is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The pod's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Why, in one word.
    pub reason: &'static str,
    /// Whether somebody has to act.
    pub is_warning: bool,
    /// At most 1,024 bytes.
    pub words: String,
}

/// Whoever tells pods something, in the name of the driver of a node.
pub struct Events {
    account: Account,
    client: kube::Client,
    driver: String,
    node: String,
    said: HashMap<(String, &'static str, String), Said>,
}

/// One that may become a series.
struct Said {
    name: String,
    count: i32,
    last: Instant,
}

impl Events {
    /// Nothing is said yet.
    pub fn new(account: Account, names: Names, driver: String, node: String) -> Self {
        Self {
            client: client::client(&account, names),
            account,
            driver,
            node,
            said: HashMap::new(),
        }
    }

    /// Tells a pod something.
    pub async fn say(&mut self, note: Note) -> Result<(), Error> {
        self.said.retain(|_, said| said.last.elapsed() < SERIES);
        let api: Api<Event> = Api::namespaced(self.client.clone(), &note.namespace);
        let key = (note.uid.clone(), note.reason, note.words.clone());
        let now = Timestamp::now();
        if let Some(said) = self.said.get_mut(&key) {
            let count = said.count.saturating_add(1);
            let series = EventSeries {
                count,
                last_observed_time: MicroTime(now),
            };
            let patch = Patch::Merge(serde_json::json!({ "series": series }));
            let params = PatchParams::default();
            let sent = api.patch(&said.name, &params, &patch);
            match within(&self.account, ("update an event", &said.name), sent).await {
                // Events go after an hour: then it is a new one.
                Err(Error::Missing { .. }) => {}
                sent => {
                    (said.count, said.last) = (count, Instant::now());
                    return sent;
                }
            }
        }
        let name = event_name(&note.name, now.as_nanosecond());
        let event = self.event(note, (&name, MicroTime(now)));
        let params = PostParams::default();
        let sent = api.create(&params, &event);
        within(&self.account, ("create an event", &name), sent).await?;
        if self.said.len() < REMEMBERED {
            let (count, last) = (1, Instant::now());
            self.said.insert(key, Said { name, count, last });
        }
        Ok(())
    }

    fn event(&self, note: Note, (name, now): (&str, MicroTime)) -> Event {
        let namespace = Some(note.namespace);
        Event {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: namespace.clone(),
                ..ObjectMeta::default()
            },
            regarding: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(note.name),
                namespace,
                uid: Some(note.uid),
                ..ObjectReference::default()
            }),
            action: Some("Update".to_owned()),
            reason: Some(note.reason.to_owned()),
            note: Some(note.words),
            type_: Some(if note.is_warning { "Warning" } else { "Normal" }.to_owned()),
            event_time: Some(now),
            reporting_controller: Some(self.driver.clone()),
            reporting_instance: Some(cut(&self.node, INSTANCE).to_owned()),
            ..Event::default()
        }
    }
}

/// A name of its own for an event. That of a pod may be as long as a name can be.
fn event_name(pod: &str, at: i128) -> String {
    let pod = cut(pod, PREFIX).trim_end_matches(['-', '.']);
    format!("{pod}.{at:x}")
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

async fn within<T>(
    account: &Account,
    (asked, name): (&'static str, &str),
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<(), Error> {
    match timeout(TIMEOUT, answer).await {
        Ok(answer) => answer
            .map(drop)
            .map_err(|e| explained(account, (asked, name), e)),
        Err(_) => Err(super::api::silent(account, asked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_of_pods_and_nodes_fit() {
        let pod = format!("{}-.{}", "p".repeat(198), "p".repeat(53));
        assert_eq!(pod.len(), 253);
        let name = event_name(&pod, i128::from(u64::MAX));
        assert!(name.len() <= 253 && name.starts_with("pp"), "{name}");
        assert!(!name.contains("-."), "{name}");
        assert_eq!(cut(&"n".repeat(192), INSTANCE).len(), 128);
    }
}
