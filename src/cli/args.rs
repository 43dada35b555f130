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
use crate::config::{Downloading, Rooted, Secrets, Serving, Storing};
use crate::telemetry::{Format, Level};

/// Shows a versioned, verified artifact as a directory.
#[derive(Parser, Debug)]
#[command(name = "war-vol", version, after_help = exit::HELP, max_term_width = 110)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,

    /// How results are printed on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(super) output: Output,

    /// How log lines are printed on stderr
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

    /// What is logged: off, error, warn, info, debug or trace [default: info for serve, else warn]
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        help_heading = "Output",
        env = "WAR_VOL_LOG"
    )]
    pub(super) log_level: Option<Level>,

    /// Log more, whatever --log-level says: -v what is done, -vv how it was decided, -vvv everything
    #[arg(
        short,
        long,
        global = true,
        action = ArgAction::Count,
        help_heading = "Output",
        conflicts_with = "quiet"
    )]
    verbose: u8,

    /// Say nothing on stderr but errors: no progress, no remarks, no log
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(super) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Text,
    /// For programs: one JSON document
    Json,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run the CSI driver, until SIGTERM
    #[command(after_help = exit::HELP)]
    Serve(Serve),
    /// Download an artifact to a file: verified, durable, complete or not at all
    #[command(after_help = exit::HELP)]
    Fetch(Fetch),
    /// Show an artifact in a directory. Where a driver has the store it does that, with its own settings
    #[command(after_help = exit::HELP)]
    Mount(Mount),
    /// Take away what `mount` has mounted
    #[command(after_help = exit::HELP)]
    Unmount(Unmount),
    /// Look after the cached artifacts
    #[command(after_help = exit::HELP)]
    Cache(Cache),
    /// Answer kubelet as a FlexVolume driver: init, mount DIR OPTIONS, unmount DIR. Deprecated since Kubernetes 1.23
    #[command(after_help = exit::HELP)]
    Flexvolume(Flexvolume),
    /// List the volumes of this machine
    #[command(after_help = exit::HELP)]
    Volumes(Volumes),
}

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Check the settings, and leave
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
pub(super) struct Artifact {
    /// What to download: an http or https URL
    #[arg(value_name = "URL")]
    pub(super) url: String,

    /// `sha256:<hex>` or `sha512:<hex>` that the bytes must have; the digits alone and a line of sha256sum do, too
    #[arg(long, value_name = "DIGEST")]
    pub(super) checksum: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Fetch {
    /// What to download: http or https URLs. One that fails does not keep the others from being fetched; the exit code is
    /// that of the first failure
    #[arg(value_name = "URL", required_unless_present = "from_file")]
    pub(super) urls: Vec<String>,

    /// `sha256:<hex>` or `sha512:<hex>` that the bytes must have; the digits alone and a line of sha256sum do, too. For
    /// one URL
    #[arg(long, value_name = "DIGEST", conflicts_with = "from_file")]
    pub(super) checksum: Option<String>,

    /// Where to write it: a file, a directory that gets a file of the URL's name, or - for standard output. A pipe or a
    /// device is written to once all of it was verified. For several URLs a directory [default: the last segment of the
    /// URL's path, in this directory]
    #[arg(short = 'o', long = "output-file", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

    /// Continue what an earlier fetch with this flag began; if this one fails, what came stays for the next, in
    /// FILE.war-vol-part. A file that is there and has the checksum is not downloaded again
    #[arg(short = 'c', long = "continue")]
    pub(super) resume: bool,

    /// Fetch what the lines of LIST name: `URL [CHECKSUM [NAME]]`, with - for no checksum; # begins a comment, and - as LIST
    /// is standard input
    #[arg(long, value_name = "LIST")]
    pub(super) from_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) downloading: Downloading,

    #[command(flatten)]
    pub(super) secrets: Secrets,
}

#[derive(Args, Debug)]
pub(super) struct Mount {
    #[command(flatten)]
    pub(super) artifact: Artifact,

    /// Where to show it; made if its parent exists, otherwise it must be an empty directory
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Nobody may write to it
    #[arg(long)]
    pub(super) read_only: bool,

    /// auto, overlay, or copy for processes in a user namespace [default: auto, which is overlay]
    #[arg(long, value_name = "LAYOUT")]
    pub(super) layout: Option<String>,

    /// Name of the file in DIR [default: the last segment of the URL's path]
    #[arg(long, value_name = "NAME")]
    pub(super) file_name: Option<String>,

    /// Directory in DIR that the file goes to
    #[arg(long, value_name = "PATH")]
    pub(super) path: Option<String>,

    /// Always, IfNotPresent or Never [default: IfNotPresent with a checksum, else Always]
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
    /// Where `mount` showed it
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    #[command(flatten)]
    pub(super) storing: Storing,
}

#[derive(Args, Debug)]
pub(super) struct Cache {
    #[command(subcommand)]
    pub(super) action: CacheAction,
}

#[derive(Subcommand, Clone, Debug)]
pub(super) enum CacheAction {
    /// List the cached artifacts
    Ls(Storing),
    /// Read all of them again; set aside what is damaged, so that it is fetched anew
    Verify(Storing),
    /// Remove what no volume uses, and downloads that were broken off
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
    /// Put this program where kubelet finds it as geektime/war-vol; it then asks the driver that has --root
    Install {
        /// kubelet's directory of FlexVolume drivers, /usr/libexec/kubernetes/kubelet-plugins/volume/exec by default
        #[arg(value_name = "DIR")]
        dir: PathBuf,

        #[command(flatten)]
        at: Rooted,
    },
    /// What kubelet calls, word for word; the answer is one JSON object on stdout, and the exit code is 0
    #[command(external_subcommand)]
    Call(Vec<OsString>),
}

#[derive(Args, Debug)]
pub(super) struct Volumes {
    #[command(flatten)]
    pub(super) storing: Storing,
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

impl Artifact {
    /// The flags by the names of the attributes: one parser, one kind of message.
    pub(super) fn attributes(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::from([("downloadURL".to_owned(), self.url.clone())]);
        all.extend(self.checksum.clone().map(|c| ("checksum".to_owned(), c)));
        all
    }
}

impl Mount {
    pub(super) fn attributes(&self) -> BTreeMap<String, String> {
        let mut all = self.artifact.attributes();
        let given = [
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
