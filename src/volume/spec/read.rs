//! How single values are read.

use std::str::FromStr;

use crate::artifact::{self, ArtifactUrl, Checksum, Digest};
use crate::fault::Setting;
use crate::volume::attributes::Error;
use crate::volume::template::Template;

pub(super) fn template((name, text): (Setting, Option<&str>)) -> Result<Option<Template>, Error> {
    let template = text.map(Template::parse).transpose();
    template.map_err(|error| Error::Template { name, error })
}

pub(super) fn parsed<T: FromStr<Err: ToString>>(
    (name, text): (Setting, Option<&str>),
) -> Result<Option<T>, Error> {
    text.map(|text| value(name, text)).transpose()
}

/// Reads a checksum: what is written out, or the file that has it.
pub fn checksum(
    text: Option<&str>,
    artifact: &ArtifactUrl,
) -> Result<(Option<Digest>, Option<ArtifactUrl>), Error> {
    let checksum = text
        .map(|text| value(Setting::Checksum, text))
        .transpose()?;
    Ok(match checksum {
        None => (None, None),
        Some(Checksum::Digest(digest)) => (Some(digest), None),
        Some(Checksum::File(file)) => {
            let beside = file.beside(artifact);
            let url = beside.map_err(|e| Error::value(Setting::Checksum, e))?;
            // By its name it is looked for.
            artifact
                .file_name()
                .map_err(|e| Error::value(Setting::Url, e))?;
            (None, Some(url))
        }
    })
}

/// Reads one value, for whoever has no other.
pub fn value<T: FromStr<Err: ToString>>(name: Setting, text: &str) -> Result<T, Error> {
    text.parse().map_err(|e| Error::value(name, e))
}

pub(super) fn one_of<T: Copy>(
    (name, text): (Setting, Option<&str>),
    allowed: &[(&str, T)],
) -> Result<Option<T>, Error> {
    let Some(text) = text else { return Ok(None) };
    let words: Vec<_> = allowed.iter().map(|(word, _)| *word).collect();
    allowed
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| Some(*value))
        .ok_or_else(|| {
            Error::value(
                name,
                format!("{}; use {}", artifact::shown(text), words.join(" or ")),
            )
        })
}
