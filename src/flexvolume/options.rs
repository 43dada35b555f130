//! From kubelet's arguments to what the driver is asked for. Pure; each refusal says what is allowed, and nothing of
//! what the options hold.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::SecretString;

use super::Error;
use crate::artifact::shown;
use crate::mount::Target;
use crate::volume::{Mount, Pod};

/// What kubelet writes of its own. The API server lets nobody else write such a key.
const KUBERNETES: &str = "kubernetes.io/";

/// The keys of the pod's secret, each value in base64.
const SECRET: &str = "kubernetes.io/secret/";

const READ_WRITE: &str = "kubernetes.io/readwrite";
const NAMESPACE: &str = "kubernetes.io/pod.namespace";
const POD: &str = "kubernetes.io/pod.name";
const SERVICE_ACCOUNT: &str = "kubernetes.io/serviceAccount.name";
const GROUP: &str = "kubernetes.io/mounterArgs.FsGroup";

/// A pod's directory for one volume, as kubelet names it.
pub fn directory(dir: &OsStr) -> Result<Target, Error> {
    let wrong = |why| Error::Directory {
        dir: shown(&dir.to_string_lossy()),
        why,
    };
    let path = Path::new(dir);
    path.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
    let names: Vec<&OsStr> = path.iter().rev().take(5).collect();
    let is_kubelets = matches!(
        names.as_slice(),
        [_, driver, volumes, _, pods]
            if *volumes == "volumes" && *pods == "pods" && driver.as_encoded_bytes().contains(&b'~')
    );
    if !is_kubelets {
        return Err(wrong("it is not a volume directory of a pod"));
    }
    Ok(Target::within(Path::new("/"), path)?)
}

/// What kubelet asks for with `mount DIR OPTIONS`.
pub fn mount_of(dir: &OsStr, options: &OsStr) -> Result<Mount, Error> {
    let target = directory(dir)?;
    let text = options
        .to_str()
        .ok_or(Error::Options { line: 1, column: 1 })?;
    let options: BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|e| Error::Options {
            line: e.line(),
            column: e.column(),
        })?;
    let mut pod = Pod::default();
    let mut mount = Mount {
        target,
        attributes: BTreeMap::new(),
        secrets: BTreeMap::new(),
        read_only: false,
        group: None,
        pod: None,
    };
    for (name, value) in options {
        let wrong = |why| Error::Option {
            name: shown(&name),
            why,
        };
        if let Some(key) = name.strip_prefix(SECRET) {
            mount
                .secrets
                .insert(key.to_owned(), secret(&value).map_err(wrong)?);
        } else if name == READ_WRITE {
            mount.read_only = match value.as_str() {
                "ro" => true,
                "rw" => false,
                _ => return Err(wrong("use ro or rw")),
            };
        } else if name == GROUP {
            let group = value.parse().map_err(|_| wrong("use a numeric group ID"))?;
            mount.group = Some(group);
        } else if let Some(said) = of_pod(&mut pod, &name) {
            *said = value;
        } else if !name.starts_with(KUBERNETES) {
            mount.attributes.insert(name, value);
        }
    }
    mount.pod = Some(pod);
    Ok(mount)
}

/// Where it goes if it is said of the pod.
fn of_pod<'a>(pod: &'a mut Pod, name: &str) -> Option<&'a mut String> {
    match name {
        NAMESPACE => Some(&mut pod.namespace),
        POD => Some(&mut pod.name),
        SERVICE_ACCOUNT => Some(&mut pod.service_account),
        _ => None,
    }
}

fn secret(value: &str) -> Result<SecretString, &'static str> {
    let bytes = BASE64_STANDARD
        .decode(value)
        .map_err(|_| "its value is not base64, which kubelet writes")?;
    let text = String::from_utf8(bytes).map_err(|_| "its value is not UTF-8 text")?;
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const DIR: &str = "/var/lib/kubelet/pods/1b2c/volumes/geektime~war-vol/app-volume";

    fn of(options: &str) -> Result<Mount, Error> {
        mount_of(OsStr::new(DIR), OsStr::new(options))
    }

    #[test]
    fn what_kubelet_says_is_read_or_passed_over() {
        let mount = of(r#"{
            "downloadURL": "https://example.com/a.war", "kubernetes.io/fsType": "ext4",
            "kubernetes.io/readwrite": "ro", "kubernetes.io/mounterArgs.FsGroup": "4242",
            "kubernetes.io/pod.name": "p", "kubernetes.io/pod.namespace": "n",
            "kubernetes.io/serviceAccount.name": "s", "kubernetes.io/pvOrVolumeName": "app-volume",
            "kubernetes.io/newer": "?", "kubernetes.io/secret/token": "YzRuYXJ5"
        }"#)
        .unwrap();
        assert_eq!(mount.target.path(), Path::new(DIR));
        let url = (
            "downloadURL".to_owned(),
            "https://example.com/a.war".to_owned(),
        );
        assert_eq!(mount.attributes, BTreeMap::from([url]));
        assert_eq!((mount.read_only, mount.group), (true, Some(4242)));
        let pod = Pod {
            namespace: "n".to_owned(),
            name: "p".to_owned(),
            service_account: "s".to_owned(),
            ..Pod::default()
        };
        assert_eq!(mount.pod, Some(pod));
        assert_eq!(mount.secrets["token"].expose_secret(), "c4nary");
        let bare = of("{}").unwrap();
        assert_eq!((bare.read_only, bare.group), (false, None));
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_a_word_of_it() {
        for (options, says) in [
            ("", "line 1, column 0"),
            ("c4nary", "not a JSON object of strings"),
            ("\"c4nary\"", "not a JSON object of strings"),
            ("[\"c4nary\"]", "not a JSON object of strings"),
            ("{\"c4nary\": 1}", "not a JSON object of strings"),
            ("{\"a\": null}", "not a JSON object of strings"),
            (
                "{\"kubernetes.io/secret/token\": {\"c4nary\": \"\"}}",
                "not a JSON object of strings",
            ),
            ("{} c4nary", "not a JSON object of strings"),
            (
                "{\"kubernetes.io/secret/token\": \"c4nary!\"}",
                "secret/token\": its value is not base64",
            ),
            (
                "{\"kubernetes.io/secret/token\": \"/w==\"}",
                "its value is not UTF-8 text",
            ),
            ("{\"kubernetes.io/readwrite\": \"c4nary\"}", "use ro or rw"),
            (
                "{\"kubernetes.io/mounterArgs.FsGroup\": \"-1\"}",
                "numeric group ID",
            ),
        ] {
            let text = of(options).map(drop).unwrap_err().to_string();
            assert!(text.contains(says), "{options}: {text}");
            assert!(!text.contains("c4nary"), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(of(&deep).is_err());
    }

    #[test]
    fn only_a_pods_directory_is_taken() {
        let long = format!("{DIR}/{}", "x".repeat(5000));
        for bad in [
            "",
            "/",
            "/etc",
            "pods/1/volumes/a~b/c",
            "/pods/1/volumes/war-vol/c",
            "/pods/1/volumes/a~b",
            "/pods/1/volume/a~b/c",
            "/pods/../volumes/a~b/c",
            "/pods/1/volumes/a~b/..",
            long.as_str(),
        ] {
            let text = directory(OsStr::new(bad)).unwrap_err().to_string();
            assert!(text.len() < 400, "{text}");
        }
        directory(OsStr::new(DIR)).unwrap();
    }
}
