//! What a publish is to show.

use super::aside::Takes;
use super::attributes::Want;
use super::plan::{self, View};
use super::{Error, Publish, Record, Writable};
use crate::acquire;
use crate::artifact;
use crate::policy::Request;
use crate::store::{Content, Layers};

/// What a request means for a volume that is not known here.
pub(super) struct Anew {
    pub(super) meant: Want,
    pub(super) view: View,
    pub(super) request: Request,
}

impl Anew {
    pub(super) fn of(want: &Publish, relabels: bool) -> Result<Self, Error> {
        let meant = Want::parse(&want.attributes)?;
        let writable = match want.writable {
            Writable::Yes => true,
            Writable::No => false,
            Writable::IfScratch => meant.scratch,
        };
        let view =
            plan::view(want.readonly, writable, meant.layout, relabels).ok_or(Error::NoSafeForm)?;
        let request = meant.request().with_secret(want.secrets.clone());
        Ok(Self {
            meant,
            view,
            request: request.map_err(acquire::Error::from)?,
        })
    }

    pub(super) fn content(&self) -> Content {
        Content::File(self.meant.place.clone())
    }

    pub(super) fn layers(&self, want: &Publish) -> Layers {
        let writable = self.view.writable();
        Layers {
            writable,
            group: want.group.filter(|_| writable),
        }
    }
}

/// What is to be shown.
pub(super) enum Goal {
    /// What the request says.
    Anew(Box<Anew>),
    /// What the volume showed before.
    Again(Box<Record>),
}

impl Goal {
    pub(super) fn view(&self) -> View {
        match self {
            Self::Anew(anew) => anew.view,
            Self::Again(record) => record.view,
        }
    }

    /// What lies in the volume; of one that is there its record says so.
    pub(super) fn content(&self) -> Result<Content, artifact::Error> {
        match self {
            Self::Anew(anew) => Ok(anew.content()),
            Self::Again(record) => record.content(),
        }
    }

    pub(super) fn layers(&self, want: &Publish) -> Layers {
        match self {
            Self::Anew(anew) => anew.layers(want),
            Self::Again(record) => record.layers(),
        }
    }

    /// A private copy, or a volume from before a reboot, takes long.
    pub(super) fn takes(&self) -> Takes {
        match self {
            Self::Anew(anew) if anew.view != View::Copy => Takes::Microseconds,
            Self::Anew(_) | Self::Again(_) => Takes::Long,
        }
    }
}
