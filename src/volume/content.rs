//! What a publish is to show.

use super::attributes::VolumeSpec;
use super::blocking::Takes;
use super::plan::{self, View};
use super::record::layers;
use super::{Error, PublishRequest, Record, Writable};
use crate::acquire;
use crate::artifact;
use crate::policy::Request;
use crate::store::{Layers, Placement};

/// What a request means for a volume that is not known here.
pub(super) struct NewVolume {
    pub(super) spec: VolumeSpec,
    pub(super) view: View,
    pub(super) artifact_request: Request,
}

impl NewVolume {
    pub(super) fn of(request: &PublishRequest, relabels: bool) -> Result<Self, Error> {
        let spec = VolumeSpec::parse(&request.attributes)?;
        let writable = match request.writable {
            Writable::Yes => true,
            Writable::No => false,
            Writable::IfScratch => spec.scratch,
        };
        let view = plan::view(request.readonly, writable, spec.layout, relabels)
            .ok_or(Error::NoSafeForm)?;
        let artifact_request = spec.request().with_secret(request.secrets.clone());
        Ok(Self {
            spec,
            view,
            artifact_request: artifact_request.map_err(acquire::Error::from)?,
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
