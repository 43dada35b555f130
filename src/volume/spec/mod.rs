//! From attributes to what they mean: first without the values of variables, then with them.

mod artifact_ref;
mod read;

use std::collections::BTreeMap;

pub use self::artifact_ref::ArtifactRef;
pub use self::read::value;
use self::read::{literal, one_of, parsed, template};
use super::attributes::{Error, check_name, file_name};
use super::changes::Changes;
use super::template::{Fixed, Source, Template, Values, Variable, Within};
use crate::artifact::maven::Coordinates;
use crate::artifact::{ArtifactUrl, Checksum, FileName, VolumePath, parse_size};
use crate::fault::Setting;
use crate::policy::{PullPolicy, Request, is_credential};

/// What stands for a variable where its value does not matter.
const STAND_IN: &str = "x";

/// What separates the name of a web application from its version (Tomcat, "Parallel deployment").
const VERSION: &str = "##";

/// How a volume is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A bind where the call says read-only, which a pod with a user namespace can use too; else an overlay.
    Auto,
    /// An overlay over the shared bytes, read-only or not: pods see nothing of each other, not even file locks.
    Overlay,
    /// A private copy, for pods with a user namespace, which cannot use an overlay.
    Copy,
}

/// The attributes as they are written. What does not depend on a variable has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeTemplate {
    url: Template,
    repository: Option<ArtifactUrl>,
    checksum: Option<Template>,
    file_name: Option<Template>,
    path: Template,
    pull: Option<PullPolicy>,
    /// The volume's own limit in bytes.
    pub max_size: Option<u64>,
    /// How it is laid out.
    pub layout: Layout,
    /// Whether a volume that people expect to last may be written nevertheless.
    pub scratch: bool,
    /// When its content may change.
    pub changes: Changes,
}

/// The attributes as they are meant at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// What to mount.
    pub artifact: ArtifactRef,
    /// Where in the volume it goes.
    pub place: VolumePath,
    /// When the origin is asked.
    pub pull: PullPolicy,
    /// The volume's own limit in bytes.
    pub max_size: Option<u64>,
}

impl VolumeSpec {
    /// What of it is asked for, by whoever shows no credentials.
    pub fn request(&self) -> Request {
        self.artifact.request(self.pull, self.max_size)
    }
}

/// Whether it is worth reading attributes for that. Asks nothing but their texts.
pub(super) fn may_have_variables_or_refresh(attributes: &BTreeMap<String, String>) -> bool {
    attributes.contains_key(Setting::Refresh.attribute())
        || attributes.values().any(|value| value.contains("${"))
}

/// Whether attributes may name something else later. Nearly all are known not to without being read.
pub(super) fn may_change(attributes: &BTreeMap<String, String>) -> bool {
    may_have_variables_or_refresh(attributes)
        && VolumeTemplate::parse(attributes).is_ok_and(|template| template.may_change())
}

impl VolumeTemplate {
    /// Reads the attributes; Kubernetes' own keys must be gone from them.
    pub fn parse(attributes: &BTreeMap<String, String>) -> Result<Self, Error> {
        attributes.keys().try_for_each(|name| check_name(name))?;
        let get = |name: Setting| (name, attributes.get(name.attribute()).map(String::as_str));
        let url = template(get(Setting::Url))?.ok_or(Error::Missing(Setting::Url.attribute()))?;
        let size = get(Setting::MaxSize).1.map(parse_size).transpose();
        let layouts = [
            ("auto", Layout::Auto),
            ("overlay", Layout::Overlay),
            ("copy", Layout::Copy),
        ];
        let read = Self {
            repository: parsed(literal(get(Setting::Repository))?)?,
            checksum: template(get(Setting::Checksum))?,
            file_name: template(get(Setting::FileName))?,
            path: template(get(Setting::Path))?.unwrap_or_default(),
            pull: parsed(get(Setting::PullPolicy))?,
            max_size: size.map_err(|e| Error::value(Setting::MaxSize, e))?,
            layout: one_of(get(Setting::Layout), &layouts)?.unwrap_or(Layout::Auto),
            scratch: one_of(get(Setting::Writable), &[("scratch", true)])?.unwrap_or(false),
            changes: Changes::read(|name| get(name).1)?,
            url,
        };
        read.check()?;
        Ok(read)
    }

    /// What does not depend on a value.
    fn check(&self) -> Result<(), Error> {
        self.check_host()?;
        self.check_version()?;
        for (setting, template) in self.templates() {
            let misused = template.variables().find_map(|variable| {
                if *variable == Variable::Swap && setting != Setting::FileName {
                    return Some("${swap} is only for fileName".to_owned());
                }
                variable.secret_key().filter(|key| is_credential(key))?;
                Some(format!(
                    "{variable} is a credential, and values of variables are shown in events and lists; give the version \
                     a key of its own"
                ))
            });
            if let Some(why) = misused {
                return Err(Error::value(setting, why));
            }
        }
        if self.changes.refresh.is_some() {
            let is_fixed = self.checksum.is_some() && !self.has_checksum_file();
            let why = match self.pull {
                _ if is_fixed => {
                    "there is nothing newer with the same checksum; remove refresh or checksum"
                }
                Some(PullPolicy::Never) => {
                    "the server is not asked with pullPolicy: Never; remove one of them"
                }
                Some(PullPolicy::Always | PullPolicy::IfNotPresent) | None => "",
            };
            if !why.is_empty() {
                return Err(Error::value(Setting::Refresh, why));
            }
        }
        self.with_stand_ins().map(drop)
    }

    /// A value names no server: whoever may write it could send requests, and what they hold, elsewhere.
    fn check_host(&self) -> Result<(), Error> {
        let head = self.url.head();
        if self.is_maven() {
            return Ok(());
        }
        let path = head.split_once("://").map(|(_, rest)| rest.contains('/'));
        if self.url.is_literal() || path == Some(true) {
            return Ok(());
        }
        let why =
            "variables are only allowed in the path and the query; write scheme, host and port out";
        Err(Error::value(Setting::Url, why))
    }

    /// Tomcat compares versions as text, and deletes the file of a version that it takes for an older one.
    fn check_version(&self) -> Result<(), Error> {
        let Some(name) = &self.file_name else {
            return Ok(());
        };
        match name
            .variables_after(VERSION)
            .find(|v| **v != Variable::Swap)
        {
            Some(other) => Err(not_a_version(other)),
            None => Ok(()),
        }
    }

    /// Whether the artifact is named by Maven coordinates.
    fn is_maven(&self) -> bool {
        Coordinates::are_in(self.url.head())
    }

    /// Whether a file at a server says what the artifact must hash to.
    fn has_checksum_file(&self) -> bool {
        let checksum = self.checksum.as_ref();
        checksum.is_some_and(|checksum| Checksum::is_in_file(checksum.head()))
    }

    fn templates(&self) -> impl Iterator<Item = (Setting, &Template)> {
        let optional = [
            (Setting::Checksum, self.checksum.as_ref()),
            (Setting::FileName, self.file_name.as_ref()),
        ];
        let optional = optional.into_iter().filter_map(|(s, t)| Some((s, t?)));
        [(Setting::Url, &self.url), (Setting::Path, &self.path)]
            .into_iter()
            .chain(optional)
    }

    fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.templates()
            .flat_map(|(_, template)| template.variables())
    }

    /// Whether the content may be another one later, without other attributes.
    pub fn may_change(&self) -> bool {
        self.changes.refresh.is_some() || self.variables().any(Variable::may_change)
    }

    /// Whether the name of the file is another one after each change.
    pub(super) fn names_swap(&self) -> bool {
        self.variables().any(|v| *v == Variable::Swap)
    }

    /// Whether a variable tells something of the claim.
    pub fn names_claim(&self) -> bool {
        self.variables().any(|v| {
            let name = Variable::Fixed(Fixed::ClaimName);
            let namespace = Variable::Fixed(Fixed::ClaimNamespace);
            [name, namespace].contains(v) || v.source() == Some(Source::Claim)
        })
    }

    /// The variables that only the API server knows, and where they stand.
    pub(super) fn of_objects(&self) -> impl Iterator<Item = (Setting, &Variable, Source)> {
        self.templates().flat_map(|(setting, template)| {
            let variables = template.variables();
            variables.filter_map(move |variable| Some((setting, variable, variable.source()?)))
        })
    }

    /// The keys of the Secret that are no credentials.
    pub fn secret_keys(&self) -> impl Iterator<Item = &str> {
        self.variables().filter_map(Variable::secret_key)
    }

    /// With a stand-in for every value. What a variable is in is not checked beyond that.
    fn with_stand_ins(&self) -> Result<VolumeSpec, Error> {
        let is_known = |c: &&Template| c.is_literal() || self.has_checksum_file();
        let checksum = self.checksum.as_ref().filter(is_known);
        self.read(
            &self.url.with(STAND_IN),
            checksum.map(|c| c.with(STAND_IN)),
            self.file_name.as_ref().map(|name| name.with(STAND_IN)),
            &self.path.with(STAND_IN),
        )
    }

    /// What is meant with these values.
    pub fn fill(&self, values: &Values<'_>) -> Result<VolumeSpec, Error> {
        let fill = |name, template: &Template, within| {
            let filled = template.fill(values, within);
            filled.map_err(|error| Error::Template { name, error })
        };
        let text = |name, template: Option<&Template>, within| {
            template.map(|t| fill(name, t, within)).transpose()
        };
        let within = match self.has_checksum_file() {
            true => Within::Url,
            false => Within::Text,
        };
        let url = match self.is_maven() {
            true => fill(Setting::Url, &self.url, Within::Text)?,
            false => fill(Setting::Url, &self.url, Within::Url)?,
        };
        let colons = |text: &str| text.matches(':').count();
        if self.is_maven() && colons(&url) != colons(&self.url.with(STAND_IN)) {
            let why = "the value of a variable has a colon; write packaging and classifier out";
            return Err(Error::value(Setting::Url, why));
        }
        let spec = self.read(
            &url,
            // A checksum that a default leaves out is none.
            text(Setting::Checksum, self.checksum.as_ref(), within)?
                .filter(|c| !c.is_empty() || self.is_plain()),
            text(Setting::FileName, self.file_name.as_ref(), Within::Text)?,
            &fill(Setting::Path, &self.path, Within::Text)?,
        )?;
        // Nearly all have no variable, and were checked when they were read.
        if self.variables().next().is_none() {
            return Ok(spec);
        }
        let without = self.with_stand_ins()?;
        let origin = |url: &ArtifactUrl| url.as_url().origin();
        let file = |spec: &VolumeSpec| spec.artifact.checksum_file.as_ref().map(origin);
        let why = "a variable names another server; write scheme, host and port out";
        if origin(&spec.artifact.url) != origin(&without.artifact.url) {
            return Err(Error::value(Setting::Url, why));
        }
        if file(&spec) != file(&without) {
            return Err(Error::value(Setting::Checksum, why));
        }
        self.check_filled_version(&spec, &without)?;
        Ok(spec)
    }

    fn is_plain(&self) -> bool {
        self.checksum.as_ref().is_some_and(Template::is_literal)
    }

    /// The same as [`check_version`](Self::check_version), where a value or the URL has brought the `##`.
    fn check_filled_version(&self, spec: &VolumeSpec, without: &VolumeSpec) -> Result<(), Error> {
        let (name, without) = (spec.place.name().as_str(), without.place.name().as_str());
        let (as_it_is, template) = match &self.file_name {
            Some(template) => {
                let count = |name: &str| name.matches(VERSION).count();
                (count(name) == count(without), template)
            }
            // Of a URL only the last segment is the name.
            None => {
                let now = version_of(name);
                (now.is_none() || now == version_of(without), &self.url)
            }
        };
        match template.variables().find(|v| v.may_change()) {
            Some(variable) if !as_it_is => Err(not_a_version(variable)),
            Some(_) | None => Ok(()),
        }
    }

    fn read(
        &self,
        url: &str,
        checksum: Option<String>,
        name: Option<String>,
        path: &str,
    ) -> Result<VolumeSpec, Error> {
        let artifact = ArtifactRef::read(url, self.repository.as_ref(), checksum.as_deref())?;
        let name: FileName = match name {
            Some(name) => value(Setting::FileName, &name)?,
            None => file_name(&artifact.url)?,
        };
        // A checksum that a variable gives is one, too.
        let pull = self.pull.unwrap_or_else(|| artifact.pull());
        let place = VolumePath::new(path, name).map_err(|e| Error::value(Setting::Path, e))?;
        Ok(VolumeSpec {
            artifact,
            place,
            pull,
            max_size: self.max_size,
        })
    }
}

fn version_of(name: &str) -> Option<&str> {
    name.split_once(VERSION).map(|(_, version)| version)
}

fn not_a_version(variable: &Variable) -> Error {
    let why = format!(
        "{variable} after {VERSION}: Tomcat compares what follows {VERSION} as text and takes 9 for newer than 10; use \
         {}",
        Variable::Swap
    );
    Error::value(Setting::FileName, why)
}

#[cfg(test)]
mod tests;
