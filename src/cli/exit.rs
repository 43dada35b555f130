//! Exit codes: what a program that calls this one may act on.

use std::process::ExitCode;

use crate::fault::Fault;

/// The code of a fault. 0 is success, 2 is also what a wrong command line gives.
pub(super) fn code(fault: Fault) -> u8 {
    match fault {
        Fault::Bug => 1,
        Fault::Invalid => 2,
        Fault::NotFound => 3,
        Fault::Unauthenticated => 4,
        Fault::Denied => 5,
        Fault::Mismatch => 6,
        Fault::TooLarge => 7,
        Fault::Differs => 8,
        Fault::Occupied => 9,
        Fault::NoSpace => 10,
        Fault::Unavailable => 11,
        Fault::Pending => 12,
    }
}

/// Ended by a signal, as a shell has it for SIGINT.
pub(super) const INTERRUPTED: u8 = 130;

pub(super) fn exit(fault: Fault) -> ExitCode {
    ExitCode::from(code(fault))
}

/// The table as the help shows it.
pub(super) const HELP: &str = "\
Exit codes:
   0  success
   1  internal error, please report it (bug)
   2  wrong command line or attribute (invalid)
   3  artifact not found (not-found)
   4  credentials missing or wrong (unauthenticated)
   5  forbidden by the server or by a rule, or not root (denied)
   6  checksum mismatch (mismatch)
   7  larger than a limit (too-large)
   8  already mounted with other attributes (differs)
   9  target in use by something else (occupied)
  10  no disk space or inodes left (no-space)
  11  temporary: server down, DNS, TLS, disk error (unavailable)
  12  another operation in progress (pending)
 130  interrupted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_code_of_its_own_and_a_line_in_the_help() {
        let codes: std::collections::BTreeSet<_> = Fault::ALL.into_iter().map(code).collect();
        assert_eq!(codes.len(), Fault::ALL.len());
        for fault in Fault::ALL {
            let line = HELP
                .lines()
                .find(|l| l.trim_start().starts_with(&format!("{}  ", code(fault))));
            assert!(
                line.is_some_and(|l| l.contains(&format!("({})", fault.name()))),
                "{fault:?}: {line:?}"
            );
        }
    }
}
