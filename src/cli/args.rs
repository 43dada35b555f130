//! The command line as it is typed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::Error;
use clap::parser::ValueSource;
use clap::{
    ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};

use super::exit;
use super::policy_args::PolicyAction;
use crate::config::{Downloading, Rooted, Secrets, Serving, Storing};
use crate::telemetry::{Format, Level};

/// Download artifacts over HTTP, cache them and mount them as volumes
#[derive(Parser, Debug)]
#[command(name = "war-vol", version, after_help = exit::HELP, max_term_width = 110)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Format of results on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(super) output: Output,

    /// Format of log lines on stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Output",
        env = "WAR_VOL_LOG_FORMAT"
    )]
    pub(super) log_format: Format,

    /// Log level: off, error, warn, info, debug or trace [default: info for serve, else warn]
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        help_heading = "Output",
        env = "WAR_VOL_LOG"
    )]
    pub(super) log_level: Option<Level>,

    /// Log more, overriding --log-level: -v for info, -vv for debug, -vvv for trace
    #[arg(
        short,
        long,
        global = true,
        action = ArgAction::Count,
        help_heading = "Output",
        conflicts_with = "quiet"
    )]
    verbose: u8,

    /// Print only errors on stderr: no progress, notes or log
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Human-readable text
    Text,
    /// One JSON document, for programs
    Json,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run the CSI driver until SIGTERM
    #[command(after_help = exit::HELP)]
    Serve(Serve),
    /// Download artifacts to files; each file appears complete and verified, or not at all
    #[command(after_help = exit::HELP)]
    Fetch(Fetch),
    /// Mount an artifact on a directory. If a driver runs on this --root, it does the work, with its own settings
    #[command(after_help = exit::HELP)]
    Mount(Mount),
    /// Unmount a volume mounted with `war-vol mount`
    #[command(after_help = exit::HELP)]
    Unmount(Unmount),
    /// List, verify or prune the cached artifacts
    #[command(after_help = exit::HELP)]
    #[command(subcommand)]
    Cache(CacheAction),
    /// Act as a FlexVolume driver for kubelet: init, mount DIR OPTIONS, unmount DIR. Deprecated since Kubernetes 1.23
    #[command(after_help = exit::HELP)]
    Flexvolume(Flexvolume),
    /// List the volumes on this machine
    #[command(after_help = exit::HELP)]
    Volumes(Storing),
    /// Look at a policy file
    #[command(after_help = exit::HELP)]
    #[command(subcommand)]
    Policy(PolicyAction),
}

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Check the settings and exit
    #[arg(long)]
    pub(super) check: bool,

    #[command(flatten)]
    pub(super) serving: Serving,

    #[command(flatten)]
    pub(super) storing: Storing,

    #[command(flatten)]
    pub(super) downloading: Downloading,
}

#[derive(Args, Debug)]
pub(super) struct Fetch {
    /// http or https URLs to download, or Maven coordinates, `maven:<group>:<artifact>:<version>[:<packaging>[:<classifier>]]`;
    /// all are tried, and the exit code is that of the first failure
    #[arg(value_name = "URL", required_unless_present = "from_file")]
    pub(super) urls: Vec<String>,

    /// URL of the Maven repository, for maven: coordinates
    #[arg(long, value_name = "URL")]
    pub(super) repository: Option<String>,

    /// Expected checksum of a single URL: `sha256:<hex>`, `sha512:<hex>`, the hex digits alone, a line of sha256sum output,
    /// file:URL for a file at a server that lists it, or sidecar:sha512, sidecar:sha256 or sidecar:sha1 for one that the
    /// Maven repository has beside the artifact
    #[arg(long, value_name = "CHECKSUM", conflicts_with = "from_file")]
    pub(super) checksum: Option<String>,

    /// Output file, directory, or - for stdout; several URLs need a directory [default: the last segment of the URL's
    /// path, in the current directory]
    #[arg(short = 'o', long = "output-file", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

    /// Resume from FILE.war-vol-part and keep it on failure; skip files that already have the checksum
    #[arg(short = 'c', long = "continue")]
    pub(super) resume: bool,

    /// Read lines of `URL [CHECKSUM [NAME]]` from LIST, or from stdin if LIST is -; - as CHECKSUM means none, # starts a
    /// comment
    #[arg(long, value_name = "LIST")]
    pub(super) from_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) downloading: Downloading,

    #[command(flatten)]
    pub(super) secrets: Secrets,
}

#[derive(Args, Debug)]
pub(super) struct Mount {
    /// http or https URL of the artifact, or its Maven coordinates,
    /// `maven:<group>:<artifact>:<version>[:<packaging>[:<classifier>]]`
    #[arg(value_name = "URL")]
    pub(super) url: String,

    /// URL of the Maven repository, for maven: coordinates
    #[arg(long, value_name = "URL")]
    pub(super) repository: Option<String>,

    /// Expected checksum: `sha256:<hex>`, `sha512:<hex>`, the hex digits alone, a line of sha256sum output, file:URL for a
    /// file at a server that lists it, or sidecar:sha512, sidecar:sha256 or sidecar:sha1 for one that the Maven repository
    /// has beside the artifact
    #[arg(long, value_name = "CHECKSUM")]
    pub(super) checksum: Option<String>,

    /// Mount point: an empty directory, created if its parent exists
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Mount read-only
    #[arg(long)]
    pub(super) read_only: bool,

    /// How to mount: auto, overlay, or copy for processes in a user namespace [default: auto, which means overlay]
    #[arg(long, value_name = "LAYOUT")]
    pub(super) layout: Option<String>,

    /// File name in DIR [default: the last segment of the URL's path]
    #[arg(long, value_name = "NAME")]
    pub(super) file_name: Option<String>,

    /// Subdirectory of DIR that holds the file
    #[arg(long, value_name = "PATH")]
    pub(super) path: Option<String>,

    /// When to ask the server: Always, IfNotPresent or Never [default: IfNotPresent with a checksum
    /// or a Maven version that never changes, else Always]
    #[arg(long, value_name = "POLICY")]
    pub(super) pull_policy: Option<String>,

    #[command(flatten)]
    pub(super) storing: Storing,

    #[command(flatten)]
    pub(super) downloading: Downloading,

    #[command(flatten)]
    pub(super) secrets: Secrets,

    /// Those settings among the above that were typed and not taken from the environment, by their flags.
    #[arg(skip)]
    pub(super) typed: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Unmount {
    /// Mount point
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    #[command(flatten)]
    pub(super) storing: Storing,
}

#[derive(Subcommand, Clone, Debug)]
pub(super) enum CacheAction {
    /// List the cached artifacts
    Ls(Storing),
    /// Hash all cached artifacts again and discard the damaged ones
    Verify(Storing),
    /// Remove artifacts that no volume uses, and partial downloads
    Prune(Storing),
}

#[derive(Args, Debug)]
#[command(disable_help_subcommand = true)]
pub(super) struct Flexvolume {
    #[command(flatten)]
    pub(super) at: Rooted,

    #[command(subcommand)]
    pub(super) action: FlexvolumeAction,
}

#[derive(Subcommand, Debug)]
pub(super) enum FlexvolumeAction {
    /// Install this program as the FlexVolume driver geektime/war-vol; it calls the war-vol driver on --root
    Install {
        /// kubelet's FlexVolume directory, usually /usr/libexec/kubernetes/kubelet-plugins/volume/exec
        #[arg(value_name = "DIR")]
        dir: PathBuf,

        #[command(flatten)]
        at: Rooted,
    },
    /// What kubelet calls, word for word; the answer is one JSON object on stdout, and the exit code is 0
    #[command(external_subcommand)]
    Call(Vec<OsString>),
}

impl Cli {
    /// Every command with its arguments.
    pub(super) fn grammar() -> clap::Command {
        Self::command()
    }

    /// How much is logged.
    pub(super) fn level(&self) -> Level {
        let name = match (self.verbose, &self.log_level) {
            (0, _) if self.quiet => "error",
            (0, Some(level)) => return level.clone(),
            (0, None) => match &self.command {
                Command::Serve(_) => "info",
                Command::Fetch(_)
                | Command::Mount(_)
                | Command::Unmount(_)
                | Command::Cache(_)
                | Command::Policy(_)
                | Command::Volumes(_) => "warn",
                // kubelet reads stderr as a part of the answer.
                Command::Flexvolume(_) => "off",
            },
            (1, _) => "info",
            (2, _) => "debug",
            (3.., _) => "trace",
        };
        Level::named(name)
    }

    /// Parses what was typed.
    pub(super) fn typed(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let matches = without_empty(Self::grammar()).try_get_matches_from(arguments)?;
        let mut cli =
            Self::from_arg_matches(&matches).map_err(|e| e.format(&mut Self::grammar()))?;
        if let (Command::Mount(mount), Some((_, matches))) =
            (&mut cli.command, matches.subcommand())
        {
            mount.typed = settings(matches);
        }
        Ok(cli)
    }
}

/// An environment variable that is empty is not set, whatever setting it is for: a manifest that has a variable without
/// a value means none, and no setting has an empty one.
fn without_empty(command: clap::Command) -> clap::Command {
    let is_empty = |arg: &clap::Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|v| v.is_empty())
    };
    command
        .mut_args(|arg| match is_empty(&arg) {
            true => arg.env(clap::builder::Resettable::Reset),
            false => arg,
        })
        .mut_subcommands(without_empty)
}

/// The settings of the store and of downloads that were typed, and that a driver does not take from a command; where the
/// store is says which one is meant.
fn settings(matches: &ArgMatches) -> Vec<String> {
    let all = Downloading::augment_args(Storing::augment_args(clap::Command::new("")));
    let typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let own = ["cert", "key"].into_iter().filter(|id| typed(id));
    all.get_arguments()
        .filter(|a| a.get_id() != "root" && typed(a.get_id().as_str()))
        .filter_map(|a| a.get_long())
        .chain(own)
        .map(|long| format!("--{long}"))
        .collect()
}

impl Mount {
    /// The flags by the names of the attributes: one parser, one kind of message.
    pub(super) fn attributes(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::from([("downloadURL".to_owned(), self.url.clone())]);
        let given = [
            ("repository", &self.repository),
            ("checksum", &self.checksum),
            ("layout", &self.layout),
            ("fileName", &self.file_name),
            ("path", &self.path),
            ("pullPolicy", &self.pull_policy),
        ];
        all.extend(
            given
                .into_iter()
                .filter_map(|(k, v)| Some((k.to_owned(), v.clone()?))),
        );
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::grammar().debug_assert();
    }
}
