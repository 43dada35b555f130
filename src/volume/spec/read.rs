//! How single values are read.

use std::str::FromStr;

use crate::artifact;
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

/// A text without variables: it says whom to trust, and whoever may write a value could say it.
pub(super) fn literal(
    (name, text): (Setting, Option<&str>),
) -> Result<(Setting, Option<&str>), Error> {
    match text.is_some_and(|text| text.contains("${")) {
        true => Err(Error::value(
            name,
            "variables are not allowed here; write it out",
        )),
        false => Ok((name, text)),
    }
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
