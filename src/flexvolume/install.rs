//! The program in kubelet's directory of FlexVolume drivers.
//!
//! kubelet runs what it finds there without any flag, so what it must know lies beside it. It watches the directory and
//! takes no notice of a name with a dot in front: what appears, appears whole, by one rename.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DRIVER, Error};

const SETTINGS: &str = ".war-vol.json";

/// How many bytes of two files are compared at a time.
const PIECE: u64 = 1 << 16;

/// What the program is told.
#[derive(Deserialize, Serialize)]
struct Settings {
    root: PathBuf,
}

/// Where the program lies, if kubelet finds it there: `<vendor>~<driver>/<driver>`.
pub struct Home(PathBuf);

impl Home {
    /// That of this process; none if it runs from elsewhere.
    pub fn own() -> Option<Self> {
        let program = std::env::current_exe().ok()?;
        let name = program.file_name()?.to_str()?;
        // What was replaced meanwhile.
        let name = name.strip_suffix(" (deleted)").unwrap_or(name);
        let home = program.parent()?;
        let (_, driver) = home.file_name()?.to_str()?.split_once('~')?;
        (driver == name).then(|| Self(home.to_owned()))
    }

    /// The root of the driver that it asks.
    pub fn root(&self) -> Result<PathBuf, Error> {
        let path = self.0.join(SETTINGS);
        let read =
            |path: &Path| -> io::Result<Settings> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
        match read(&path) {
            Ok(settings) => Ok(settings.root),
            Err(e) => Err(Error::Settings {
                path,
                why: e.to_string(),
            }),
        }
    }
}

/// What `install` has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Where the program lies.
    pub program: PathBuf,
    /// False if it lay there already, as it should.
    pub is_new: bool,
}

/// Puts this program into `dir`, where kubelet looks for FlexVolume drivers, and beside it where the driver's `root` is.
/// What runs meanwhile is not disturbed.
pub fn install(dir: &Path, root: &Path) -> Result<Installed, Error> {
    if !root.is_absolute() || root.to_str().is_none() {
        return Err(Error::Root(root.into()));
    }
    fs::create_dir_all(dir).map_err(failed("create", dir))?;
    // Two at once would write the same file.
    let alone = File::open(dir).map_err(failed("open", dir))?;
    alone.lock().map_err(failed("lock", dir))?;
    let home = dir.join(DRIVER.replace('/', "~"));
    let is_new = if home.is_dir() {
        fill(&home, root)?
    } else {
        let making = dir.join(format!(".{}", DRIVER.replace('/', "~")));
        fs::create_dir_all(&making).map_err(failed("create", &making))?;
        set_mode(&making, 0o755)?;
        fill(&making, root)?;
        fs::rename(&making, &home).map_err(failed("rename", &making))?;
        true
    };
    Ok(Installed {
        program: home.join(name()),
        is_new,
    })
}

fn name() -> &'static str {
    DRIVER.rsplit('/').next().unwrap_or(DRIVER)
}

/// The settings first: whoever finds the program finds them.
fn fill(home: &Path, root: &Path) -> Result<bool, Error> {
    let settings = Settings { root: root.into() };
    let settings = serde_json::to_vec(&settings).map_err(|e| failed("write", home)(e.into()))?;
    let settings = || Ok(settings.as_slice());
    let this = Path::new("/proc/self/exe");
    let program = || File::open(this).map_err(failed("read", this));
    let told = put(&home.join(SETTINGS), 0o644, settings)?;
    let put = put(&home.join(name()), 0o755, program)?;
    Ok(told || put)
}

/// Makes a file hold what `bytes` gives each time, unless it does. Whether that was to be done.
fn put<R: Read>(
    path: &Path,
    mode: u32,
    bytes: impl Fn() -> Result<R, Error>,
) -> Result<bool, Error> {
    if holds(path, mode, bytes()?) {
        return Ok(false);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{}.new", name.trim_start_matches('.')));
    // What a killed one left.
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &new)(e)),
        Ok(()) | Err(_) => {}
    }
    let write = || -> Result<(), Error> {
        let mut file = File::create_new(&new).map_err(failed("create", &new))?;
        io::copy(&mut bytes()?, &mut file).map_err(failed("write", &new))?;
        set_mode(&new, mode)?;
        file.sync_all().map_err(failed("write", &new))?;
        drop(file);
        fs::rename(&new, path).map_err(failed("rename", &new))
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map(|()| true)
}

/// Whether a file has these bytes, and its mode.
fn holds(path: &Path, mode: u32, mut bytes: impl Read) -> bool {
    let mut same = || -> io::Result<bool> {
        let mut file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() || meta.mode() & 0o7777 != mode {
            return Ok(false);
        }
        loop {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            file.by_ref().take(PIECE).read_to_end(&mut a)?;
            bytes.by_ref().take(PIECE).read_to_end(&mut b)?;
            if a != b {
                return Ok(false);
            }
            if a.is_empty() {
                return Ok(true);
            }
        }
    };
    same().unwrap_or(false)
}

/// Whatever the umask says.
fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the mode of", path))
}

fn failed(act: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Install {
        act,
        path: path.clone(),
        source,
    }
}
