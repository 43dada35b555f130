//! What the API server is asked for.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads an object or a list.
    Get,
    /// Waits for changes.
    Watch,
    /// Makes an object.
    Create,
    /// Changes one.
    Patch,
}

impl Verb {
    const ALL: [Self; 4] = [Self::Get, Self::Watch, Self::Create, Self::Patch];

    fn label(self) -> Label {
        Label {
            verb: match self {
                Self::Get => "get",
                Self::Watch => "watch",
                Self::Create => "create",
                Self::Patch => "patch",
            },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    verb: &'static str,
}

/// Requests to the API server.
#[derive(Clone, Debug)]
pub struct ApiRequests(Family<Label, Counter>);

impl Default for ApiRequests {
    fn default() -> Self {
        let family = Family::default();
        for verb in Verb::ALL {
            drop(family.get_or_create(&verb.label()));
        }
        Self(family)
    }
}

impl ApiRequests {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "api_server_requests",
            "Requests of the driver to the API server; get also counts lists",
            self.0.clone(),
        );
    }

    /// One is sent.
    pub fn sent(&self, verb: Verb) {
        self.0.get_or_create(&verb.label()).inc();
    }
}
