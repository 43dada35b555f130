//! What is typed for `war-vol policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit;

#[derive(Subcommand, Debug)]
pub(super) enum PolicyAction {
    /// Check a policy file, and whether it allows URLs; no server is asked
    #[command(after_help = exit::HELP)]
    Check(PolicyCheck),
}

#[derive(Args, Debug)]
pub(super) struct PolicyCheck {
    /// URLs or Maven coordinates that a volume would name; without any, only the file is checked
    #[arg(value_name = "URL")]
    pub(super) urls: Vec<String>,

    /// Policy file
    #[arg(long, env = "WAR_VOL_POLICY", value_name = "FILE")]
    pub(super) policy: PathBuf,

    /// Namespace of the pod that has the volume [default: none, as for a command line]
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,

    /// Service account of the pod
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        requires = "namespace"
    )]
    pub(super) service_account: String,

    /// The volume is that of a claim
    #[arg(long, requires = "namespace")]
    pub(super) claim: bool,

    /// URL of the Maven repository, for maven: coordinates
    #[arg(long, value_name = "URL")]
    pub(super) repository: Option<String>,

    /// Checksum that the volume would have
    #[arg(long, value_name = "CHECKSUM")]
    pub(super) checksum: Option<String>,
}
