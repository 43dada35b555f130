//! What was typed: flags, and the environment where a flag is missing.
//!
//! Owns names, defaults and help texts of the settings. What they mean to each module is [`crate::app`]'s to say.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::artifact::parse_size;

/// How origins are asked: what every command that downloads takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Downloading")]
pub struct Downloading {
    /// Trust the CA certificates in this PEM file in addition to the system's
    #[arg(
        long,
        visible_alias = "cacert",
        env = "WAR_VOL_CA_FILE",
        value_name = "FILE"
    )]
    pub ca_file: Option<PathBuf>,

    /// Policy file: who may download what from where [default: everything is allowed that is not always blocked]
    #[arg(long, env = "WAR_VOL_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Largest artifact to download
    #[arg(long, env = "WAR_VOL_MAX_SIZE", value_name = "SIZE", default_value = "64Gi", value_parser = parse_size)]
    pub max_size: u64,

    /// Consecutive failed attempts before a download fails
    #[arg(long, env = "WAR_VOL_TRIES", value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    pub tries: u16,

    /// Pause before the first retry; doubles with each further one
    #[arg(long, env = "WAR_VOL_RETRY_PAUSE", value_name = "TIME", default_value = "500ms", value_parser = time)]
    pub retry_pause: Duration,

    /// Longest pause before a retry, even if the server asks for more
    #[arg(long, env = "WAR_VOL_LONGEST_PAUSE", value_name = "TIME", default_value = "1m", value_parser = time)]
    pub longest_pause: Duration,

    /// Abort an attempt that stays below --stall-speed for this long
    #[arg(long, env = "WAR_VOL_STALL_TIME", value_name = "TIME", default_value = "1m", value_parser = time)]
    pub stall_time: Duration,

    /// Lowest acceptable speed, in bytes per second
    #[arg(long, env = "WAR_VOL_STALL_SPEED", value_name = "SIZE", default_value = "1Ki", value_parser = parse_size)]
    pub stall_speed: u64,

    /// Highest speed of all downloads together, in bytes per second [default: unlimited]
    #[arg(long, env = "WAR_VOL_LIMIT_RATE", value_name = "SIZE", value_parser = parse_size)]
    pub limit_rate: Option<u64>,
}

impl Downloading {
    /// For a command that downloads nothing, and that no wrong setting of downloads may keep from its work.
    pub fn none() -> Self {
        Self {
            ca_file: None,
            policy: None,
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
    /// Credentials file with lines of token=…, or username=… and password=…, and header.NAME=… [default: taken from
    /// WAR_VOL_TOKEN, or WAR_VOL_USERNAME and WAR_VOL_PASSWORD]
    #[arg(long, env = "WAR_VOL_CREDENTIALS", value_name = "FILE")]
    pub credentials: Option<PathBuf>,

    /// Extra request header, sent to the URL's own origin only; repeatable. Visible in the process list, so put tokens
    /// into the credentials file
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<SecretString>,

    /// PEM client certificate, presented to the URL's own origin only
    #[arg(long, env = "WAR_VOL_CERT", value_name = "FILE")]
    pub cert: Option<PathBuf>,

    /// PEM private key of --cert, without a passphrase [default: read from the --cert file]
    #[arg(long, env = "WAR_VOL_KEY", value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

/// Where the store is, and with it the driver that has it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct Rooted {
    /// Directory of the cache and the volumes; owned by root
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

    /// Maximum size of the cache, such as 20Gi; unused artifacts are removed first [default: limited by --keep-free]
    #[arg(long, env = "WAR_VOL_CACHE_SIZE", value_name = "SIZE", value_parser = parse_size)]
    pub cache_size: Option<u64>,

    /// Share of the disk to keep free: below it unused artifacts are removed, then new ones are refused
    #[arg(
        long,
        env = "WAR_VOL_KEEP_FREE",
        value_name = "PERCENT",
        default_value = "17%"
    )]
    pub keep_free: String,

    /// Maximum number of concurrent downloads; further ones wait
    #[arg(long, env = "WAR_VOL_DOWNLOADS", value_name = "N", default_value = "4", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub downloads: u16,

    /// User and group ID of the cached files; nothing else on this machine may use it
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
    /// Volumes on this node
    Node,
    /// Provisioning for StorageClasses
    Controller,
    /// Both
    All,
}

impl Mode {
    /// Whether volumes are shown.
    pub fn node(self) -> bool {
        matches!(self, Self::Node | Self::All)
    }

    /// Whether volumes are provisioned.
    pub fn controller(self) -> bool {
        matches!(self, Self::Controller | Self::All)
    }
}

/// How the driver is reached, and by whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Serving")]
pub struct Serving {
    /// What to serve
    #[arg(long, env = "WAR_VOL_MODE", value_enum, value_name = "MODE")]
    pub mode: Mode,

    /// CSI socket, in a directory of its own [default: csi.sock in the driver's directory under kubelet's plugins]
    #[arg(long, env = "WAR_VOL_ENDPOINT", value_name = "unix://PATH")]
    pub endpoint: Option<String>,

    /// kubelet's root directory, at the same path that kubelet uses
    #[arg(
        long,
        env = "WAR_VOL_KUBELET_DIR",
        value_name = "DIR",
        default_value = "/var/lib/kubelet"
    )]
    pub kubelet_dir: PathBuf,

    /// Name of this node in the cluster; required unless --mode is controller
    #[arg(long, env = "WAR_VOL_NODE_ID", value_name = "NAME")]
    pub node_id: Option<String>,

    /// Address of this node, which the presets of a policy refuse; several are separated by commas [default: none]
    #[arg(
        long,
        env = "WAR_VOL_NODE_IP",
        value_name = "ADDR",
        value_delimiter = ','
    )]
    pub node_ip: Vec<IpAddr>,

    /// Driver name, as used in pods and StorageClasses
    #[arg(
        long,
        env = "WAR_VOL_DRIVER_NAME",
        value_name = "NAME",
        default_value = "war-vol.geektime.org"
    )]
    pub driver_name: String,

    /// Address of /healthz, /readyz and /metrics; `[::]:9808` listens on all IPv6 and IPv4 addresses [default: none]
    #[arg(long, env = "WAR_VOL_HTTP_ADDR", value_name = "ADDR")]
    pub http_addr: Option<SocketAddr>,

    /// Register with kubelet through a socket in DIR, usually plugins_registry under kubelet's directory [default: left
    /// to an external registrar]
    #[arg(long, env = "WAR_VOL_REGISTRATION_DIR", value_name = "DIR")]
    pub registration_dir: Option<PathBuf>,

    /// Path of the CSI socket as kubelet sees it, if that differs
    #[arg(
        long,
        env = "WAR_VOL_ENDPOINT_ON_HOST",
        value_name = "PATH",
        requires = "registration_dir"
    )]
    pub endpoint_on_host: Option<PathBuf>,

    /// Startup taint to remove from the node once kubelet lists the driver, usually DRIVER/agent-not-ready; needs rights
    /// to get and patch nodes and to get csinodes [default: none; the API server is never asked]
    #[arg(
        long,
        env = "WAR_VOL_STARTUP_TAINT",
        value_name = "KEY",
        requires = "registration_dir"
    )]
    pub startup_taint: Option<String>,

    /// Let attributes use labels and annotations of pods and claims, and send events to pods; needs rights to list and
    /// watch pods, to get, list and watch persistentvolumeclaims, and to create and patch events [default: the API server
    /// is never asked]
    #[arg(long, env = "WAR_VOL_WATCH_OBJECTS")]
    pub watch_objects: bool,

    /// Namespaces for --watch-objects, if the driver has these rights only there; repeatable [default: all]
    #[arg(
        long = "watch-namespace",
        env = "WAR_VOL_WATCH_NAMESPACES",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        requires = "watch_objects"
    )]
    pub watch_namespaces: Vec<String>,

    /// Let the VolumeAttributesClass of a claim say what its volume shows; on a node this needs --watch-objects, and rights
    /// to list and watch persistentvolumes and to get volumeattributesclasses [default: classes are rejected, and ignored
    /// on nodes]
    #[arg(long, env = "WAR_VOL_VOLUME_ATTRIBUTES_CLASSES")]
    pub volume_attributes_classes: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    let allowed = "use a time above 0, such as 500ms, 90s or 2m";
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err(allowed.to_owned()),
        Err(e) => Err(format!("{e}; {allowed}")),
    }
}
