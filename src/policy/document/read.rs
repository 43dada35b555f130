//! From the tree of a file to its rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Document;
use super::addresses::{allowed_net, net};
use super::asker::Conditions;
use super::error::Error;
use super::fields::{Fields, Item};
use super::glob::Glob;
use super::grant::Proof;
use super::keys;
use super::preset::Preset;
use super::rule::{Decision, Rule, Terms};
use super::url_pattern::UrlPattern;
use super::yaml::Node;
use crate::artifact::shown;

/// What a rule that denies has no use for.
const OF_ALLOW: [&str; 5] = ["allow", "require", "maxSize", "cacheSize", "credentials"];

/// Reads a file's root.
pub(super) fn document(root: Node) -> Result<Document, Error> {
    let mut fields = Fields::of_root(root, keys::DOCUMENT)?;
    let preset = fields.take("preset").map(|p| p.one_of(&Preset::WORDS));
    let preset = preset.transpose()?.unwrap_or_default();
    let contact = fields.take("contact").map(Item::text).transpose()?;
    Ok(Document {
        preset,
        contact: contact.map(Arc::from),
        rules: rules(fields.take("rules"), keys::RULE, preset)?,
        claims: rules(fields.take("claims"), keys::CLAIM, preset)?,
    })
}

fn rules(item: Option<Item>, known: &[&str], preset: Preset) -> Result<Vec<Rule>, Error> {
    let Some(item) = item else {
        return Ok(Vec::new());
    };
    let all = item.list(|item| {
        let what = "is for rules below claims; inline volumes have no StorageClass";
        match item.error_at("storageClasses", what) {
            Some(error) if !known.contains(&"storageClasses") => Err(error),
            Some(_) | None => item.fields(known),
        }
    })?;
    let mut lines = BTreeMap::new();
    let rules = all.into_iter().map(|mut fields| {
        let name = fields.need("name")?;
        let at = name.at();
        let name: Arc<str> = name.text()?.into();
        if let Some(line) = lines.insert(Arc::clone(&name), at.line) {
            let what = format!(
                "the rule in line {line} has the same name, {}; rename one of them",
                shown(&name)
            );
            return Err(Error::new(at, fields.key("name"), what));
        }
        Ok(Rule {
            name,
            line: fields.at().line,
            conditions: conditions(&mut fields)?,
            decision: decision(fields, preset)?,
        })
    });
    rules.collect()
}

fn conditions(fields: &mut Fields) -> Result<Conditions, Error> {
    let mut globs = |key| {
        let globs = fields.take(key).map(|item| {
            let instead = format!("remove {key} to match all");
            item.list_of_some(&instead, |item| item.parse(str::parse))
        });
        globs.transpose().map(Option::unwrap_or_default)
    };
    Ok(Conditions {
        storage_classes: globs("storageClasses")?,
        namespaces: globs("namespaces")?,
        service_accounts: globs("serviceAccounts")?,
        namespace_labels: labels(fields)?,
    })
}

fn labels(fields: &mut Fields) -> Result<BTreeMap<String, String>, Error> {
    let Some(item) = fields.take("namespaceLabels") else {
        return Ok(BTreeMap::new());
    };
    let empty = item.error("is empty; remove namespaceLabels to match all");
    match item.words()? {
        labels if labels.is_empty() => Err(empty),
        labels => Ok(labels.into_iter().collect()),
    }
}

fn decision(mut fields: Fields, preset: Preset) -> Result<Decision, Error> {
    if let Some(reason) = fields.take("deny") {
        for key in OF_ALLOW {
            if let Some(item) = fields.take(key) {
                return Err(item.error("has no effect beside deny; remove one of the two"));
            }
        }
        return Ok(Decision::Deny(reason.text()?.into()));
    }
    let mut terms = Terms::of(preset);
    if let Some(item) = fields.take("allow") {
        allow(item.fields(keys::ALLOW)?, &mut terms)?;
    }
    if let Some(item) = fields.take("require") {
        terms.require = item.one_of(&Proof::WORDS)?;
    }
    terms.max_size = fields.take("maxSize").map(Item::size).transpose()?;
    terms.cache_size = fields.take("cacheSize").map(Item::size).transpose()?;
    if let Some(item) = fields.take("credentials") {
        terms.credentials = item.list(|item| item.parse(str::parse::<Glob>))?;
    }
    Ok(Decision::Allow(Box::new(terms)))
}

fn allow(mut fields: Fields, terms: &mut Terms) -> Result<(), Error> {
    if let Some(item) = fields.take("urls") {
        let instead = "remove urls to allow any, or deny the rule's volumes";
        terms.urls = Some(item.list_of_some(instead, |item| item.parse(str::parse))?);
    }
    if let Some(item) = fields.take("plainHTTP") {
        let (at, path) = (item.at(), fields.key("plainHTTP"));
        terms.plain_http = item.boolean()?;
        let urls = terms.urls.as_deref();
        let is_listed = urls.map(|urls| urls.iter().any(UrlPattern::is_plain_http));
        let what = match (terms.plain_http, is_listed) {
            (false, Some(true)) => {
                "is false, but one of the urls begins with http://; change one of the two"
            }
            (true, Some(false)) => {
                "is true, but none of the urls begins with http://; add one, or remove plainHTTP"
            }
            (_, None) | (false, Some(false)) | (true, Some(true)) => "",
        };
        if !what.is_empty() {
            return Err(Error::new(at, path, what));
        }
    }
    if let Some(item) = fields.take("addresses") {
        terms.addresses = item.list(|item| item.parse(allowed_net))?;
    }
    if let Some(item) = fields.take("denyAddresses") {
        terms.deny_addresses = item.list(|item| item.parse(net))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
