//! The start-up taint of this node, where the driver was told to remove it.

use super::Error;
use super::versions::Versions;
use crate::cluster::{self, Account, Key, Startup};
use crate::config::Serving;
use crate::csi::Registered;
use crate::metrics::{Metrics, StartupTaints};
use crate::ops::Readiness;
use crate::source::http;

/// A taint that is to be removed, and who is asked for it.
pub(super) struct Removal {
    account: Account,
    pub(super) key: Key,
}

impl Removal {
    /// As it was asked for, if it was. Nothing is asked yet.
    pub(super) fn new(serving: &Serving, metrics: &Metrics) -> Result<Option<Self>, Error> {
        let Some(key) = &serving.startup_taint else {
            return Ok(None);
        };
        let wrong = |e: cluster::Error| Error::Setting(format!("--startup-taint: {e}"));
        Ok(Some(Self {
            key: key.parse().map_err(wrong)?,
            account: Account::of_this_pod()
                .map_err(wrong)?
                .counting(metrics.api_requests.clone()),
        }))
    }

    /// Begins, on a runtime that ends with the driver. On the way the node says which `versions` it has.
    pub(super) fn begin(
        self,
        (node, driver): (&str, &str),
        versions: &Versions,
        (readiness, registered): (Readiness, Registered),
        counted: StartupTaints,
    ) {
        let startup = Startup {
            account: self.account,
            names: http::names(),
            node: node.to_owned(),
            driver: driver.to_owned(),
            key: self.key,
            counted,
        };
        tokio::spawn(versions.clone().listen());
        tokio::spawn(startup.keep(
            move || readiness.is_ready(),
            registered.news(),
            versions.node.clone(),
        ));
    }
}
