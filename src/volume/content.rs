//! What a publish is to show.

use super::attributes;
use super::blocking::Takes;
use super::changes::Changes;
use super::classes;
use super::interests::Facts;
use super::objects::{Class, Object};
use super::plan::{self, View};
use super::record::layers;
use super::spec::{VolumeSpec, VolumeTemplate};
use super::template::{self, Source, Values};
use super::{Error, PublishRequest, Record, Writable};
use crate::acquire;
use crate::artifact;
use crate::fault::Setting;
use crate::policy::Request;
use crate::store::{Layers, Placement};

/// What a request means for a volume that is not known here.
pub(super) struct NewVolume {
    pub(super) spec: VolumeSpec,
    pub(super) view: View,
    pub(super) artifact_request: Request,
    /// When its content may change, if it may.
    pub(super) changes: Option<Changes>,
    /// Whether something says which content that is, and may say something else later. Without it, whatever is shown is
    /// right: a volume that has no class yet.
    pub(super) names_content: bool,
}

/// What a request is filled in with.
pub(super) struct Moment {
    /// Whether container runtimes label files for their pods.
    pub(super) relabels: bool,
    /// What [`Variable::Swap`](super::template::Variable::Swap) stands for.
    pub(super) swap: u64,
    /// Whether anybody tells what objects say of themselves.
    pub(super) watched: bool,
    /// Whether the volume may get a class, or another one.
    pub(super) follows_class: bool,
    /// What they say, or of which object nothing is known.
    pub(super) facts: Result<Facts, Object>,
}

/// Whether the values of all variables, and a refresh, can ever come.
fn can_be_told(
    request: &PublishRequest,
    template: &VolumeTemplate,
    watched: bool,
) -> Result<(), attributes::Error> {
    let alone = request.node.is_none();
    if template.changes.refresh.is_some() && alone {
        let why = "only volumes that kubelet mounts through CSI are refreshed; remove it";
        return Err(attributes::Error::value(Setting::Refresh, why));
    }
    if template.changes.rollback.is_some() && alone {
        let why = "only volumes that kubelet mounts through CSI are rolled back; remove it";
        return Err(attributes::Error::value(Setting::Rollback, why));
    }
    if template.changes.rollback.is_some() && !watched {
        let why = "the driver has to ask the API server whether the pod is Ready, which this installation does not allow; \
                   set node.upgrade.enabled: true in the chart, or remove it";
        return Err(attributes::Error::value(Setting::Rollback, why));
    }
    let why = template.of_objects().find_map(|(name, variable, source)| {
        let variable = variable.clone();
        let error = match source {
            _ if alone => template::Error::NoPod(variable),
            Source::Claim if request.claim.is_none() => template::Error::NoClaim(variable),
            Source::Pod | Source::Claim if !watched => template::Error::NotWatched(variable),
            Source::Pod | Source::Claim => return None,
        };
        Some(attributes::Error::Template { name, error })
    });
    why.map_or(Ok(()), Err)
}

/// What the attributes of a volume mean, with those of its class over them.
pub(super) fn read(
    request: &PublishRequest,
    class: Option<&Class>,
) -> Result<VolumeTemplate, Error> {
    let Some(Class { name, parameters }) = class else {
        return Ok(VolumeTemplate::parse(&request.attributes)?);
    };
    let read = classes::read(&request.attributes, parameters);
    read.map_err(|error| Error::Class {
        name: name.clone(),
        error,
    })
}

impl NewVolume {
    pub(super) fn of(request: &PublishRequest, at: Moment) -> Result<Self, Error> {
        let class = at.facts.as_ref().ok().and_then(Facts::class);
        let template = read(request, class)?;
        let writable = match request.writable {
            Writable::Yes => true,
            Writable::No => false,
            Writable::IfScratch => template.scratch,
        };
        let view = plan::view(request.readonly, writable, template.layout, at.relabels)
            .ok_or(Error::NoSafeForm)?;
        let names_content = class.is_some() || template.may_change();
        if names_content && view == View::ReadOnlyOverlay {
            let relabels = at.relabels;
            return Err(Error::Fixed { relabels });
        }
        let may_change = names_content || at.follows_class && view != View::ReadOnlyOverlay;
        can_be_told(request, &template, at.watched)?;
        let facts = at.facts.map_err(Error::Unseen)?;
        let spec = template.fill(&Values {
            pod: request.pod.as_ref().filter(|_| request.node.is_some()),
            node: request.node.as_deref().unwrap_or_default(),
            secrets: &request.secrets,
            claim: request.claim.as_ref(),
            facts: &facts,
            swap: at.swap,
        })?;
        // What a variable names is no credential.
        let mut secrets = request.secrets.clone();
        for key in template.secret_keys() {
            secrets.remove(key);
        }
        let artifact_request = spec.request().with_secret(secrets);
        Ok(Self {
            spec,
            view,
            artifact_request: artifact_request.map_err(acquire::Error::from)?,
            changes: may_change.then_some(template.changes),
            names_content,
        })
    }

    pub(super) fn placement(&self) -> Placement {
        Placement::File(self.spec.place.clone())
    }

    pub(super) fn layers(&self, request: &PublishRequest) -> Layers {
        layers(self.view, request.group)
    }
}

/// What is to be shown.
pub(super) enum Content {
    /// What the request says.
    New(Box<NewVolume>),
    /// What the volume showed before.
    Existing(Box<Record>),
}

impl Content {
    pub(super) fn view(&self) -> View {
        match self {
            Self::New(new) => new.view,
            Self::Existing(record) => record.view,
        }
    }

    /// What lies in the volume; of one that is there its record says so.
    pub(super) fn placement(&self) -> Result<Placement, artifact::Error> {
        match self {
            Self::New(new) => Ok(new.placement()),
            Self::Existing(record) => record.placement(),
        }
    }

    pub(super) fn layers(&self, request: &PublishRequest) -> Layers {
        match self {
            Self::New(new) => new.layers(request),
            Self::Existing(record) => record.layers(),
        }
    }

    /// A private copy, or a volume from before a reboot, takes long.
    pub(super) fn takes(&self) -> Takes {
        match self {
            Self::New(new) if new.view != View::Copy => Takes::Microseconds,
            Self::New(_) | Self::Existing(_) => Takes::Long,
        }
    }
}
