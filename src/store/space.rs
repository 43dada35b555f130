//! How much room there is, and making some.

use std::fmt;
use std::str::FromStr;

use rustix::fs::statvfs;
use rustix::io::Errno;

use super::Store;
use super::error::{Error, IoContext, Shortage};
use crate::fault::Fault;

/// How much may lie in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of cached objects; what is unused goes first, and nothing else is added beyond it.
    pub cache: Option<u64>,
    /// How much of the file system stays free: below it unused objects are collected, and if that does not help new
    /// downloads and writable volumes are refused. Above the shares at which kubelet evicts pods (`nodefs.available`,
    /// 10 %, and `imagefs.available`, 15 %, which it watches also where images share that disk), so that a full cache
    /// never costs anybody a pod.
    pub free: Percent,
}

/// A whole number from 0 to 99.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(u8);

impl Percent {
    /// The share of a whole.
    pub fn of(self, whole: u64) -> u64 {
        whole / 100 * u64::from(self.0)
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.strip_suffix('%')
            .unwrap_or(text)
            .parse()
            .ok()
            .filter(|n| *n < 100)
            .map(Self)
            .ok_or_else(|| "use a whole number from 0 to 99, with or without %".to_owned())
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// The file system that the store lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Its bytes.
    pub total: u64,
    /// Those that are free.
    pub free: u64,
    /// Its inodes; 0 where it does not count them.
    pub inodes: u64,
    /// Those that are free.
    pub inodes_free: u64,
}

impl Usage {
    fn no_inodes(&self) -> Option<Shortage> {
        let total = self.inodes;
        (total > 0 && self.inodes_free == 0).then_some(Shortage::Inodes { total })
    }
}

impl Store {
    /// Looks at the file system.
    pub fn usage(&self) -> Result<Usage, Error> {
        let s = statvfs(&self.root).at("access", &self.root)?;
        Ok(Usage {
            total: s.f_blocks * s.f_frsize,
            free: s.f_bavail * s.f_frsize,
            inodes: s.f_files,
            inodes_free: s.f_favail,
        })
    }

    /// How many bytes of the file system are to stay free.
    pub fn reserve(&self, usage: &Usage) -> u64 {
        self.limits.free.of(usage.total)
    }

    /// Tries whether anything can be written, by a change that changes nothing: an attribute that is not there is taken
    /// away, for which the file system has to begin as for any other. Its flags do not tell: after an error ext4 keeps
    /// `rw` among them (since Linux 6.12) and refuses each write.
    pub fn check_writable(&self) -> Result<(), Error> {
        match rustix::fs::removexattr(&self.root, "user.war-vol.none") {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
            Err(e) => Err(e).at("write to", &self.root),
        }
    }

    /// What is missing for so many bytes more on the file system.
    pub(super) fn disk_shortage(&self, bytes: u64) -> Result<Option<Shortage>, Error> {
        let usage = self.usage()?;
        if let Some(shortage) = usage.no_inodes() {
            return Ok(Some(shortage));
        }
        let reserve = self.reserve(&usage);
        let wanted = bytes.saturating_add(reserve);
        Ok((usage.free < wanted).then(|| Shortage::Bytes {
            missing: wanted - usage.free,
            free: usage.free,
            reserve,
        }))
    }

    /// By how much the cache, with all that downloads have been promised, is beyond its limit.
    pub(super) fn cache_shortage(&self) -> Result<Option<Shortage>, Error> {
        let Some(limit) = self.limits.cache else {
            return Ok(None);
        };
        let cached = self.cached()?;
        let downloading = self.partials()?.iter().map(|p| p.size).sum();
        let held = cached.iter().map(|c| c.size).sum::<u64>();
        let used = cached.iter().filter(|c| c.leases > 0).map(|c| c.size).sum();
        let over = held.saturating_add(downloading).saturating_sub(limit);
        Ok((over > 0).then_some(Shortage::Limit {
            missing: over,
            limit,
            used,
            downloading,
        }))
    }

    /// Says how full it is where a write found no room; any other error as it is.
    pub fn explain(&self, error: Error, what: &str) -> Error {
        if !matches!(error, Error::Io { .. }) || error.fault() != Fault::NoSpace {
            return error;
        }
        let Ok(usage) = self.usage() else {
            return error;
        };
        let shortage = usage.no_inodes().unwrap_or(Shortage::Bytes {
            missing: 1,
            free: usage.free,
            reserve: self.reserve(&usage),
        });
        Error::Full {
            what: what.to_owned(),
            root: self.root.clone(),
            shortage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_a_whole_number_below_a_hundred() {
        assert_eq!("15%".parse::<Percent>().unwrap().of(1000), 150);
        assert_eq!("0".parse::<Percent>().unwrap().of(1000), 0);
        for bad in ["", "%", "100", "-1", "1.5", "15%%"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }
}
