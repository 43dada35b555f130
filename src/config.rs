//! What was typed: flags, and the environment where a flag is missing.
//!
//! Owns names, defaults and help texts of the settings. What they mean to each module is [`crate::app`]'s to say.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::artifact::parse_size;

/// How origins are asked: what every command that downloads takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Downloading")]
pub struct Downloading {
    /// Trust the PEM certificates in FILE beside the system's
    #[arg(
        long,
        visible_alias = "cacert",
        env = "WAR_VOL_CA_FILE",
        value_name = "FILE"
    )]
    pub ca_file: Option<PathBuf>,

    /// Refuse anything larger
    #[arg(long, env = "WAR_VOL_MAX_SIZE", value_name = "SIZE", default_value = "64Gi", value_parser = size)]
    pub max_size: u64,

    /// Ask an origin so often in a row in vain before that is an error
    #[arg(long, env = "WAR_VOL_TRIES", value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    pub tries: u16,

    /// First pause between two tries; it doubles
    #[arg(long, env = "WAR_VOL_RETRY_PAUSE", value_name = "TIME", default_value = "500ms", value_parser = time)]
    pub retry_pause: Duration,

    /// Longest pause between two tries, whatever the origin asks for
    #[arg(long, env = "WAR_VOL_LONGEST_PAUSE", value_name = "TIME", default_value = "1m", value_parser = time)]
    pub longest_pause: Duration,

    /// Give an attempt up if it is slower than --stall-speed for so long
    #[arg(long, env = "WAR_VOL_STALL_TIME", value_name = "TIME", default_value = "1m", value_parser = time)]
    pub stall_time: Duration,

    /// Least speed, a second
    #[arg(long, env = "WAR_VOL_STALL_SPEED", value_name = "SIZE", default_value = "1Ki", value_parser = size)]
    pub stall_speed: u64,

    /// Most bytes a second, over all downloads of this process [default: as fast as they come]
    #[arg(long, env = "WAR_VOL_LIMIT_RATE", value_name = "SIZE", value_parser = size)]
    pub limit_rate: Option<u64>,
}

impl Downloading {
    /// For a command that downloads nothing, and that no wrong setting of downloads may keep from its work.
    pub fn none() -> Self {
        Self {
            ca_file: None,
            max_size: 1,
            tries: 1,
            retry_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(1),
            stall_time: Duration::from_secs(1),
            stall_speed: 1,
            limit_rate: None,
        }
    }
}

/// What origins want to see: what a command that downloads takes. A pod has a secret for that.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Downloading")]
pub struct Secrets {
    /// Read credentials from FILE: lines of token=…, or username=… and password=…, and header.NAME=… for other headers;
    /// without it from the environment variables WAR_VOL_TOKEN, or WAR_VOL_USERNAME and WAR_VOL_PASSWORD
    #[arg(long, env = "WAR_VOL_CREDENTIALS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// Send this header too, to the URL's own origin and to no other; may be given several times. Others on this machine
    /// see what is typed here, so a token is better in a credentials file
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = secret)]
    pub headers: Vec<SecretString>,

    /// Show the PEM certificate in FILE to the URL's own origin, if it asks for one
    #[arg(long, env = "WAR_VOL_CERT", value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// Private key of --cert, in PEM and without a passphrase [default: it is in the certificate's file]
    #[arg(long, env = "WAR_VOL_KEY", value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

/// Where the store is, and with it the driver that has it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct Rooted {
    /// Directory of the cache and the volumes; belongs to root
    #[arg(
        long,
        env = "WAR_VOL_ROOT",
        value_name = "DIR",
        default_value = "/var/lib/war-vol"
    )]
    pub root: PathBuf,
}

/// Where the store is and how much it holds: what every command that uses it takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct Storing {
    /// Where it is.
    #[command(flatten)]
    pub at: Rooted,

    /// Most bytes of cached artifacts; what no volume uses goes first [default: as the disk allows]
    #[arg(long, env = "WAR_VOL_CACHE_SIZE", value_name = "SIZE", value_parser = size)]
    pub cache_size: Option<u64>,

    /// Share of the disk that stays free: below it unused artifacts are removed, and then new ones refused. kubelet
    /// evicts pods at 15 %, where images share the disk
    #[arg(
        long,
        env = "WAR_VOL_KEEP_FREE",
        value_name = "PERCENT",
        default_value = "17%"
    )]
    pub keep_free: String,

    /// How many downloads run at a time; others wait
    #[arg(long, env = "WAR_VOL_DOWNLOADS", value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub downloads: u16,

    /// User and group of the cached files: an id that nothing on this machine uses
    #[arg(
        long,
        env = "WAR_VOL_CACHE_OWNER",
        value_name = "ID",
        default_value = "4294967000"
    )]
    pub cache_owner: u32,
}

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Volumes of this node
    Node,
    /// Provisioning, for a StorageClass
    Controller,
    /// Both
    All,
}

impl Mode {
    /// Whether volumes are shown.
    pub fn node(self) -> bool {
        match self {
            Self::Node | Self::All => true,
            Self::Controller => false,
        }
    }

    /// Whether volumes are provisioned.
    pub fn controller(self) -> bool {
        match self {
            Self::Controller | Self::All => true,
            Self::Node => false,
        }
    }
}

/// How the driver is reached, and by whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Serving")]
pub struct Serving {
    /// What is served
    #[arg(long, env = "WAR_VOL_MODE", value_enum, value_name = "MODE")]
    pub mode: Mode,

    /// Socket of the CSI service, in a directory of its own [default: csi.sock in the driver's directory below
    /// kubelet's plugins]
    #[arg(long, env = "WAR_VOL_ENDPOINT", value_name = "unix://PATH")]
    pub endpoint: Option<String>,

    /// kubelet's directory, at the path that kubelet has for it
    #[arg(
        long,
        env = "WAR_VOL_KUBELET_DIR",
        value_name = "DIR",
        default_value = "/var/lib/kubelet"
    )]
    pub kubelet_dir: PathBuf,

    /// Name of this node in the cluster; needed where volumes are shown
    #[arg(long, env = "WAR_VOL_NODE_ID", value_name = "NAME")]
    pub node_id: Option<String>,

    /// Name of the driver, as pods and StorageClasses write it
    #[arg(
        long,
        env = "WAR_VOL_DRIVER_NAME",
        value_name = "NAME",
        default_value = "war-vol.geektime.org"
    )]
    pub driver_name: String,

    /// Address of /healthz, /readyz and /metrics, such as `[::]:9808`, which is every address, of IPv4 too [default: none]
    #[arg(long, env = "WAR_VOL_HTTP_ADDR", value_name = "ADDR")]
    pub http_addr: Option<SocketAddr>,

    /// Register with kubelet through a socket in DIR, as a rule plugins_registry below kubelet's directory [default:
    /// an outside registrar does]
    #[arg(long, env = "WAR_VOL_REGISTRATION_DIR", value_name = "DIR")]
    pub registration_dir: Option<PathBuf>,

    /// Where kubelet finds the CSI socket, if not where this process has it
    #[arg(
        long,
        env = "WAR_VOL_ENDPOINT_ON_HOST",
        value_name = "PATH",
        requires = "registration_dir"
    )]
    pub endpoint_on_host: Option<PathBuf>,

    /// Remove the taint of this key from the node once kubelet lists the driver; until then it keeps pods away. As a
    /// rule agent-not-ready with the driver's name before it. Needs a service account that may get and patch nodes and
    /// get csinodes [default: the API server is never asked]
    #[arg(
        long,
        env = "WAR_VOL_STARTUP_TAINT",
        value_name = "KEY",
        requires = "registration_dir"
    )]
    pub startup_taint: Option<String>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a parser of clap's; what is wrong with a header is found where all are known"
)]
fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|e| e.to_string())
}

fn time(text: &str) -> Result<Duration, String> {
    let allowed = "allowed is a time above 0, such as 500ms, 90s or 2m";
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err(allowed.to_owned()),
        Err(e) => Err(format!("{e}; {allowed}")),
    }
}
