//! The policy file: read once for a command, and again and again for a driver.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Error;
use crate::config::{Downloading, Serving};
use crate::fault;
use crate::policy::document::Document;
use crate::policy::{Policy, Rules};
use crate::volume::Pool;

/// How often a driver looks whether the file is another one: kubelet brings a changed ConfigMap within about a minute.
const LOOK: Duration = Duration::from_secs(10);

/// The policy of one command.
///
/// Errors: the file cannot be used.
pub(super) fn of_command(settings: &Downloading) -> Result<Policy, Error> {
    let rules = Rules::default();
    if let Some(path) = &settings.policy {
        rules.set(read(path)?);
    }
    Ok(Policy::with_rules(settings.max_size, rules))
}

/// Whether the file can be used.
pub fn check(settings: &Downloading) -> Result<(), Error> {
    of_command(settings).map(drop)
}

/// Reads and checks a file.
pub(super) fn read(path: &Path) -> Result<Document, Error> {
    parse(path, &content(path))
}

fn content(path: &Path) -> Content {
    std::fs::read(path).map_err(|e| e.to_string())
}

fn parse(path: &Path, content: &Content) -> Result<Document, Error> {
    let bytes = content.as_ref().map_err(|why| wrong(path, why))?;
    let document = Document::parse(bytes).map_err(|e| wrong(path, &e.to_string()))?;
    match document.not_heeded() {
        None => Ok(document),
        Some(what) => Err(wrong(path, &what)),
    }
}

fn wrong(path: &Path, why: &str) -> Error {
    Error::Setting(format!("the policy {}: {why}", path.display()))
}

/// The file of a driver, and the rules that follow it.
#[derive(Clone, Debug)]
pub(super) struct PolicyFile {
    path: PathBuf,
    rules: Rules,
    /// What the last look found.
    known: Content,
}

/// The bytes of a file, or why they cannot be read.
type Content = Result<Vec<u8>, String>;

impl PolicyFile {
    /// The rules of a driver, and its file, where it has one. A file that cannot be used keeps no driver from starting:
    /// what is mounted must be unmounted. Nothing new is mounted until it can.
    pub(super) fn open(serving: &Serving, settings: &Downloading) -> (Rules, Option<Self>) {
        let own = serving.node_ip.iter().copied().chain(api_server());
        let rules = Rules::new(own.collect());
        let file = settings.policy.clone().map(|path| Self {
            known: content(&path),
            path,
            rules: rules.clone(),
        });
        if let Some(file) = &file {
            file.take();
        }
        (rules, file)
    }

    fn take(&self) {
        match &parse(&self.path, &self.known) {
            Ok(document) => {
                tracing::info!(file = %self.path.display(), preset = document.preset().name(), "the policy is in force");
                self.rules.set(document.clone());
            }
            Err(error) => {
                let why = fault::line(error);
                tracing::error!("{why}; what was in force before stays in force");
                self.rules.unreadable(&why);
            }
        }
    }

    /// Follows the file until the driver ends.
    pub(super) async fn follow(mut self, pool: Pool, stopping: CancellationToken) {
        while let Some(()) = stopping.run_until_cancelled(tokio::time::sleep(LOOK)).await {
            let path = self.path.clone();
            if let Ok(now) = pool.run(move || content(&path)).await
                && now != self.known
            {
                self.known = now;
                self.take();
            }
        }
    }
}

/// The API server's address, as kubelet tells it to each container.
fn api_server() -> Option<IpAddr> {
    let host = std::env::var("KUBERNETES_SERVICE_HOST").unwrap_or_default();
    host.parse().ok()
}
