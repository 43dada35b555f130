//! What a command shows to the servers that it asks.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::Error;
use crate::config::Secrets;
use crate::source::Credentials;

/// The credentials of a command: a file's lines, or the environment, and the headers that were typed. What is wrong
/// with them is said of where they are from.
pub(super) fn secrets(settings: &Secrets) -> Result<BTreeMap<String, SecretString>, Error> {
    let named = settings.credentials.as_deref();
    let mut keys = match named {
        Some(path) => of_file(path)?,
        None => of_environment(),
    };
    Credentials::read(keys.clone()).map_err(|wrong| match named {
        Some(path) => in_file(path, wrong),
        None => Error::Setting(format!(
            "the environment variables {}: {wrong}",
            Credentials::KEYS.map(variable).join(", ")
        )),
    })?;
    for header in &settings.headers {
        let wrong = |why: String| Error::Setting(format!("-H: {why}; use -H 'NAME: VALUE'"));
        let (name, value) = header
            .expose_secret()
            .split_once(':')
            .ok_or_else(|| wrong("there is no colon between name and value".to_owned()))?;
        let (key, value) = (Credentials::key_of_header(name), value.trim_ascii());
        if keys.insert(key, SecretString::from(value)).is_some() {
            return Err(wrong(format!("the header \"{name}\" is given twice")));
        }
        Credentials::read(keys.clone()).map_err(|e| wrong(e.to_string()))?;
    }
    Ok(keys)
}

fn variable(key: &str) -> String {
    format!("WAR_VOL_{}", key.to_uppercase())
}

fn of_environment() -> BTreeMap<String, SecretString> {
    let named = |key: &&str| {
        let value = std::env::var(variable(key)).ok()?;
        // As for every setting, an empty variable is none.
        let value = Some(value).filter(|v| !v.is_empty())?;
        Some(((*key).to_owned(), SecretString::from(value)))
    };
    Credentials::KEYS.iter().filter_map(named).collect()
}

fn of_file(path: &Path) -> Result<BTreeMap<String, SecretString>, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| in_file(path, e))?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .enumerate()
        .map(|(i, line)| {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| in_file(path, format!("line {} has no =", i + 1)))?;
            Ok((key.trim().to_owned(), SecretString::from(value.to_owned())))
        })
        .collect()
}

fn in_file(path: &Path, why: impl Display) -> Error {
    Error::Setting(format!(
        "the credentials file {}: {why}; use lines of token=…, or username=… and password=…, and header.NAME=…",
        path.display()
    ))
}
