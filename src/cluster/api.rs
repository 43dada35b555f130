//! The requests, each with the account as it is now.

#![expect(
    clippy::disallowed_methods,
    reason = "the API server is no origin: no redirect is followed, no proxy is asked, no other authority is believed"
)]

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::node::{CsiNode, Node};
use super::{Account, Error};
use crate::fault;

/// How long an answer may take, the connection included.
const PATIENCE: Duration = Duration::from_secs(15);

/// The longest answer that is read: an object may have 1.5 MiB where the API server keeps it.
const LONGEST: usize = 4 << 20;

/// One look's worth of requests: over one connection, and as the service account is now. Tokens and authorities are
/// replaced while a pod runs, and looks are rare.
pub(super) struct Api<'a> {
    account: &'a Account,
    client: Client,
}

impl<'a> Api<'a> {
    pub(super) fn new(account: &'a Account, names: Arc<dyn Resolve>) -> Result<Self, Error> {
        let client = Client::builder()
            .user_agent(concat!("war-vol/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .retry(reqwest::retry::never())
            .tls_backend_preconfigured(account.tls()?)
            .dns_resolver(names)
            .timeout(PATIENCE)
            .build()
            .map_err(|e| unreachable("make a client", account, &e))?;
        Ok(Self { account, client })
    }

    /// Reads a Node.
    pub(super) async fn node(&self, name: &str) -> Result<Node, Error> {
        let url = self.url(&["api", "v1", "nodes", name]);
        let request = self.client.get(url);
        self.ask("get the node", name, request).await
    }

    /// Reads what kubelet has registered on a node.
    pub(super) async fn csi_node(&self, name: &str) -> Result<CsiNode, Error> {
        let url = self.url(&["apis", "storage.k8s.io", "v1", "csinodes", name]);
        let request = self.client.get(url);
        self.ask("get the csinode", name, request).await
    }

    /// Changes a Node: all of the patch, or nothing.
    pub(super) async fn patch_node(&self, name: &str, patch: &Value) -> Result<(), Error> {
        let mut url = self.url(&["api", "v1", "nodes", name]);
        url.set_query(Some("fieldManager=war-vol"));
        let request = self.client.patch(url);
        let request = request
            .header(CONTENT_TYPE, "application/json-patch+json")
            .body(patch.to_string());
        let Patched {} = self.ask("patch the node", name, request).await?;
        Ok(())
    }

    fn url(&self, path: &[&str]) -> url::Url {
        let mut url = self.account.server().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        url
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        asked: &'static str,
        name: &str,
        request: RequestBuilder,
    ) -> Result<T, Error> {
        let (header, token) = self.account.token()?;
        let request = request
            .header(ACCEPT, "application/json")
            .header(header, token);
        let broken = |e: &reqwest::Error| unreachable(asked, self.account, e);
        let mut response = request.send().await.map_err(|e| broken(&e))?;
        let status = response.status().as_u16();
        let read = read(&mut response).await.map_err(|e| broken(&e))?;
        let answer = |why: String| Error::Answer { asked, status, why };
        let Some(text) = read else {
            return Err(answer(format!("more than {LONGEST} bytes")));
        };
        if status == 200 {
            return serde_json::from_slice(&text).map_err(|e| answer(e.to_string()));
        }
        let why = words(&text);
        Err(match status {
            401 => Error::Unknown { asked, why },
            403 => Error::Forbidden { asked, why },
            404 => Error::Missing {
                asked,
                name: name.to_owned(),
            },
            // 422: what the patch was to find is not there any more.
            409 | 422 => Error::Changed { asked, why },
            _ => answer(why),
        })
    }
}

/// Of an object that was changed nothing has to be known.
#[derive(Deserialize)]
struct Patched {}

/// The whole answer; nothing if it is too long.
async fn read(response: &mut Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if text.len() + chunk.len() > LONGEST {
            return Ok(None);
        }
        text.extend_from_slice(&chunk);
    }
    Ok(Some(text))
}

/// What a Status object says, or nothing.
fn words(text: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(text) {
        Ok(status) => fault::line(&status.message),
        Err(_) => "without a reason".to_owned(),
    }
}

/// The innermost cause says most; the client's own words hold the whole URL.
fn unreachable(asked: &'static str, account: &Account, error: &reqwest::Error) -> Error {
    let mut why = match error.is_timeout() {
        true => format!("no answer in {} s", PATIENCE.as_secs()),
        false => "the connection broke".to_owned(),
    };
    let mut below = error.source();
    while let Some(cause) = below {
        if !error.is_timeout() {
            why = cause.to_string();
        }
        below = cause.source();
    }
    Error::Unreachable {
        asked,
        server: account.server().authority().to_owned(),
        why: fault::line(&why),
    }
}
