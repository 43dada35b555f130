//! What is read of a VolumeAttributesClass; all the rest of it is passed over.

use std::collections::BTreeMap;

use http::Request;
use serde::Deserialize;
use tokio::time::timeout;

use super::api::{TIMEOUT, explained, in_path, silent};
use super::{Account, Error};

/// A VolumeAttributesClass.
#[derive(Deserialize)]
struct Class {
    /// Null where there are none.
    parameters: Option<BTreeMap<String, String>>,
}

/// Reads the parameters of a VolumeAttributesClass, which never change.
pub(super) async fn get(
    account: &Account,
    client: &kube::Client,
    name: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let asked = "get the volumeattributesclass";
    let path = format!(
        "/apis/storage.k8s.io/v1/volumeattributesclasses/{}",
        in_path(name)
    );
    let request = Request::get(path).body(Vec::new());
    let request = request.map_err(|e| Error::Answer {
        asked,
        status: 0,
        why: e.to_string(),
    })?;
    match timeout(TIMEOUT, client.request::<Class>(request)).await {
        Ok(answer) => {
            let failed = |e| {
                let is_missing = matches!(&e, kube::Error::Api(status) if status.code == 404);
                match is_missing {
                    true => Error::NoClass(name.to_owned()),
                    false => explained(account, (asked, name), e),
                }
            };
            let class = answer.map_err(failed)?;
            Ok(class.parameters.unwrap_or_default())
        }
        Err(_) => Err(silent(account, asked)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_may_have_no_parameters() {
        for text in [r#"{"parameters": null}"#, "{}"] {
            let class: Class = serde_json::from_str(text).unwrap();
            assert_eq!(class.parameters, None);
        }
    }
}
