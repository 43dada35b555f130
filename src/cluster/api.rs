//! The requests, and what their answers mean.

use std::error::Error as StdError;
use std::future::Future;
use std::time::Duration;

use http_body_util::LengthLimitError;
use json_patch::Patch as JsonPatch;
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;

use super::client::{self, Names};
use super::node::{CsiNode, Node, csi_nodes, nodes};
use super::{Account, Error};
use crate::fault;

/// How long an answer may take, the connection included.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);

/// What a name in a path is not: kube puts it there as it is.
const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Where nobody knows more.
const BROKE: &str = "the connection broke";

/// One look's worth of requests, over one connection.
pub(super) struct Api<'a> {
    account: &'a Account,
    nodes: kube::Api<Node>,
    csi_nodes: kube::Api<CsiNode>,
}

impl<'a> Api<'a> {
    pub(super) fn new(account: &'a Account, names: Names) -> Self {
        let client = client::client(account, names);
        Self {
            account,
            nodes: kube::Api::all_with(client.clone(), &nodes()),
            csi_nodes: kube::Api::all_with(client, &csi_nodes()),
        }
    }

    /// Reads a Node.
    pub(super) async fn node(&self, name: &str) -> Result<Node, Error> {
        let path = in_path(name);
        self.ask("get the node", name, self.nodes.get(&path)).await
    }

    /// Reads what kubelet has registered on a node.
    pub(super) async fn csi_node(&self, name: &str) -> Result<CsiNode, Error> {
        let path = in_path(name);
        let answer = self.csi_nodes.get(&path);
        self.ask("get the csinode", name, answer).await
    }

    /// Changes a Node: all of the patch, or nothing.
    pub(super) async fn patch_node(&self, name: &str, patch: JsonPatch) -> Result<(), Error> {
        let as_whom = PatchParams {
            field_manager: Some("war-vol".to_owned()),
            ..PatchParams::default()
        };
        let (path, patch) = (in_path(name), Patch::Json::<()>(patch));
        let answer = self.nodes.patch(&path, &as_whom, &patch);
        self.ask("patch the node", name, answer).await.map(drop)
    }

    async fn ask<T>(
        &self,
        asked: &'static str,
        name: &str,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Error> {
        match timeout(TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|e| explained(self.account, (asked, name), e)),
            Err(_) => Err(silent(self.account, asked)),
        }
    }
}

/// What a failure of kube's means. `name` is that of the object that was asked for, where it is one.
pub(super) fn explained(
    account: &Account,
    (asked, name): (&'static str, &str),
    error: kube::Error,
) -> Error {
    let answered = |status, why| Error::Answer { asked, status, why };
    match Err::<(), _>(error) {
        Err(kube::Error::Api(status)) => refused(asked, name, &status),
        Err(kube::Error::SerdeError(e)) => answered(200, e.to_string()),
        Err(kube::Error::FromUtf8(e)) => answered(200, e.to_string()),
        Err(kube::Error::Service(error)) => match innermost(&*error) {
            Innermost::Account(error) => error,
            Innermost::TooLong => answered(200, client::too_long()),
            Innermost::Words(why) => unreachable(account, asked, &why),
        },
        // Never asked for its words, and no source of another error: it has those of all that kube can do, YAML too, and
        // a quarter of a MiB of the program would be for them.
        Ok(()) | Err(_) => unreachable(account, asked, BROKE),
    }
}

/// There was no answer in time.
pub(super) fn silent(account: &Account, asked: &'static str) -> Error {
    let why = format!("no answer in {} s", TIMEOUT.as_secs());
    unreachable(account, asked, &why)
}

fn unreachable(account: &Account, asked: &'static str, why: &str) -> Error {
    Error::Unreachable {
        asked,
        server: account.server().authority().to_owned(),
        why: fault::line(&why),
    }
}

pub(super) fn in_path(name: &str) -> String {
    utf8_percent_encode(name, SPECIAL).to_string()
}

/// An answer that is not what was asked for.
fn refused(asked: &'static str, name: &str, status: &Status) -> Error {
    let why = match &*status.message {
        "" => "without a reason".to_owned(),
        words => fault::line(&words),
    };
    match status.code {
        401 => Error::Unknown { asked, why },
        403 => Error::Forbidden { asked, why },
        404 => Error::Missing {
            asked,
            name: name.to_owned(),
        },
        // 422: what the patch was to find is not there any more.
        409 | 422 => Error::Changed { asked, why },
        status => Error::Answer { asked, status, why },
    }
}

/// Why there is no answer.
enum Innermost {
    /// It was never asked for.
    Account(Error),
    /// It was not read.
    TooLong,
    /// The innermost cause says most.
    Words(String),
}

fn innermost(error: &(dyn StdError + 'static)) -> Innermost {
    let mut cause = error;
    loop {
        if let Some(Error::Account { path, why }) = cause.downcast_ref() {
            let (path, why) = (path.clone(), why.clone());
            return Innermost::Account(Error::Account { path, why });
        }
        if cause.is::<LengthLimitError>() {
            return Innermost::TooLong;
        }
        match cause.source() {
            Some(below) => cause = below,
            None => return Innermost::Words(cause.to_string()),
        }
    }
}
