//! Which gRPC code an error has: the one table of it.

use std::fmt::Display;

use tonic::{Code, Status};

use super::Error;
use crate::fault::{self, Fault};
use crate::volume::{self, claims};

/// The code of a fault.
///
/// kubelet takes Canceled, DeadlineExceeded, Unavailable, ResourceExhausted and Aborted for "may be in progress" and
/// every other one for final (isFinalError in its csi_client.go).
pub(super) fn code(fault: Fault) -> Code {
    match fault {
        Fault::Invalid => Code::InvalidArgument,
        Fault::NotFound => Code::NotFound,
        Fault::Unauthenticated => Code::Unauthenticated,
        Fault::Denied => Code::PermissionDenied,
        Fault::Mismatch => Code::DataLoss,
        Fault::TooLarge => Code::OutOfRange,
        Fault::Differs => Code::AlreadyExists,
        Fault::Occupied => Code::FailedPrecondition,
        Fault::NoSpace => Code::ResourceExhausted,
        Fault::Unavailable => Code::Unavailable,
        Fault::Pending => Code::Aborted,
        Fault::Bug => Code::Internal,
    }
}

/// An answer that is an error: the message is what a user reads in the events of a pod.
pub(super) fn status(fault: Fault, words: &dyn Display) -> Status {
    Status::new(code(fault), fault::line(words))
}

/// The same for the events of a pod: up to Kubernetes 1.35 kubelet takes the message of a failed mount for a format
/// (`Eventf(…, err.Error())` in its operation_generator.go), and a percent sign of ours would read `%!)(MISSING)`. From
/// 1.36 on it does not, and shows both signs, so our own words have none: only what is quoted, such as a URL, may.
pub(super) fn for_event(status: &Status) -> Status {
    Status::new(status.code(), status.message().replace('%', "%%"))
}

/// How a call ended, for those who count: the table of [`code`] read backwards.
pub(super) fn outcome<T>(answer: &Result<T, Status>) -> Result<(), Fault> {
    let Err(status) = answer else { return Ok(()) };
    let fault = Fault::ALL.into_iter().find(|f| code(*f) == status.code());
    Err(fault.unwrap_or(Fault::Bug))
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        status(error.fault(), &error)
    }
}

impl From<volume::Error> for Status {
    fn from(error: volume::Error) -> Self {
        status(error.fault(), &error)
    }
}

impl From<claims::Error> for Status {
    fn from(error: claims::Error) -> Self {
        status(error.fault(), &error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_code_of_its_own() {
        let codes: BTreeSet<i32> = Fault::ALL.into_iter().map(|f| code(f) as i32).collect();
        assert_eq!(codes.len(), Fault::ALL.len());
    }

    #[test]
    fn an_answer_is_counted_as_the_fault_that_it_came_from() {
        assert_eq!(outcome(&Ok(())), Ok(()));
        for fault in Fault::ALL {
            assert_eq!(outcome::<()>(&Err(status(fault, &"why"))), Err(fault));
        }
    }

    #[test]
    fn what_a_published_volume_may_answer_is_not_final_for_kubelet() {
        let retried = [Code::Unavailable, Code::ResourceExhausted, Code::Aborted];
        for fault in [Fault::NoSpace, Fault::Unavailable, Fault::Pending] {
            assert!(retried.contains(&code(fault)), "{fault:?}");
        }
    }
}
