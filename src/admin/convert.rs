//! Between what the domain has and what goes over the wire. Pure; what cannot be read is named.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};

use super::Error;
use super::proto::mount_event::Event;
use super::proto::progress::Phase as WirePhase;
use super::proto::verify_event::Verdict as WireVerdict;
use super::proto::{
    CachedArtifact, MountEvent, MountRequest, Nothing, Pod as WirePod, Progress, VerifyEvent,
    Volume, Wanted,
};
use crate::artifact::Digest;
use crate::volume::{
    self, Behind, Cached, Held, Kubelet, Listed, Mount, Owner, Phase, Pod, Record, Snapshot,
    Target, Verdict, directory,
};

/// What a message lacks, or has and should not.
pub(super) type Unreadable = String;

pub(super) fn mount_request(mount: Mount) -> MountRequest {
    let secrets = mount.secrets.into_iter();
    MountRequest {
        dir: mount.target.path().display().to_string(),
        attributes: mount.attributes.into_iter().collect(),
        secrets: secrets
            .map(|(key, value)| (key, value.expose_secret().to_owned()))
            .collect(),
        read_only: mount.read_only,
        pod: mount.pod.map(|pod| WirePod {
            group: mount.group,
            namespace: pod.namespace,
            name: pod.name,
            service_account: pod.service_account,
        }),
    }
}

/// What is to be mounted, and whose it is then.
pub(super) fn mount(request: MountRequest, kubelet: &Kubelet) -> Result<(Mount, Owner), Error> {
    let secrets = request.secrets.into_iter();
    let (target, owner) = match &request.pod {
        None => (target(request.dir.clone())?, Owner::CommandLine),
        Some(_) => (pod_target(&request.dir, kubelet)?, kubelet.owner()),
    };
    let mount = Mount {
        target,
        group: request.pod.as_ref().and_then(|pod| pod.group),
        pod: request.pod.map(|pod| Pod {
            namespace: pod.namespace,
            name: pod.name,
            service_account: pod.service_account,
            ..Pod::default()
        }),
        attributes: request.attributes.into_iter().collect(),
        secrets: secrets
            .map(|(key, value)| (key, SecretString::from(value)))
            .collect(),
        read_only: request.read_only,
    };
    Ok((mount, owner))
}

/// Where kubelet wants to see a volume.
pub(super) fn pod_target(dir: &str, kubelet: &Kubelet) -> Result<Target, Error> {
    Ok(kubelet
        .target(Path::new(dir))
        .map_err(volume::Error::Mount)?)
}

/// A directory of a request. Where a relative one begins only the caller knows.
pub(super) fn target(dir: String) -> Result<Target, Error> {
    let path = Path::new(&dir);
    if path.is_absolute() {
        Ok(directory(path)?)
    } else {
        Err(Error::Relative(dir))
    }
}

pub(super) fn shown(record: &Record) -> Result<MountEvent, Error> {
    Ok(MountEvent {
        event: Some(Event::Shown(json(record)?)),
    })
}

pub(super) fn progress(snapshot: Snapshot) -> MountEvent {
    let (phase, why, pause) = match snapshot.phase {
        Phase::Queued | Phase::Waiting => (WirePhase::Queued, String::new(), Duration::ZERO),
        Phase::Asking => (WirePhase::Asking, String::new(), Duration::ZERO),
        Phase::Downloading => (WirePhase::Downloading, String::new(), Duration::ZERO),
        Phase::Pausing { why, pause } => (WirePhase::Pausing, why, pause),
        Phase::Rereading => (WirePhase::Rereading, String::new(), Duration::ZERO),
        Phase::Completed => (WirePhase::Completed, String::new(), Duration::ZERO),
        Phase::MakingRoom => (WirePhase::MakingRoom, String::new(), Duration::ZERO),
    };
    let progress = Progress {
        url: snapshot.url,
        phase: phase.into(),
        why,
        pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        done: snapshot.done,
        total: snapshot.total,
        speed: snapshot.speed,
    };
    MountEvent {
        event: Some(Event::Progress(progress)),
    }
}

pub(super) fn snapshot(progress: Progress) -> Snapshot {
    // A phase of a newer driver: the numbers are right all the same.
    let phase = match progress.phase.try_into().unwrap_or(WirePhase::Downloading) {
        WirePhase::Queued => Phase::Queued,
        WirePhase::Asking => Phase::Asking,
        WirePhase::Downloading => Phase::Downloading,
        WirePhase::Pausing => Phase::Pausing {
            why: progress.why,
            pause: Duration::from_millis(progress.pause_ms),
        },
        WirePhase::Rereading => Phase::Rereading,
        WirePhase::Completed => Phase::Completed,
        WirePhase::MakingRoom => Phase::MakingRoom,
    };
    Snapshot {
        url: progress.url,
        phase,
        done: progress.done,
        total: progress.total,
        speed: progress.speed,
    }
}

pub(super) fn volume(listed: Listed) -> Result<Volume, Error> {
    Ok(Volume {
        record: listed.record.as_ref().map(json).transpose()?,
        id: listed.id,
        mounted: listed.mounted,
        wanted: listed.behind.map(|behind| Wanted {
            url: behind.url,
            since: behind.since,
            why: behind.why,
        }),
    })
}

pub(super) fn listed(volume: Volume) -> Listed {
    Listed {
        record: volume.record.as_deref().and_then(Record::read),
        id: volume.id,
        mounted: volume.mounted,
        behind: volume.wanted.map(|wanted| Behind {
            url: wanted.url,
            since: wanted.since,
            why: wanted.why,
        }),
    }
}

pub(super) fn artifact(held: Held) -> CachedArtifact {
    CachedArtifact {
        from: held.from,
        ..of(&held.cached)
    }
}

pub(super) fn held(artifact: CachedArtifact) -> Result<Held, Unreadable> {
    Ok(Held {
        cached: cached(&artifact)?,
        from: artifact.from,
    })
}

pub(super) fn verified(seen: &Cached, verdict: Option<Verdict>) -> VerifyEvent {
    let verdict = match verdict {
        None => WireVerdict::Begins(Nothing {}),
        Some(Verdict::Whole) => WireVerdict::Whole(Nothing {}),
        Some(Verdict::Damaged { found }) => WireVerdict::Damaged(found.to_string()),
        Some(Verdict::Skipped) => WireVerdict::Skipped(Nothing {}),
    };
    VerifyEvent {
        artifact: Some(of(seen)),
        verdict: Some(verdict),
    }
}

pub(super) fn verdict(event: VerifyEvent) -> Result<(Cached, Option<Verdict>), Unreadable> {
    let artifact = event.artifact.ok_or("an artifact is missing")?;
    let verdict = match event.verdict.ok_or("a verdict is missing")? {
        WireVerdict::Begins(Nothing {}) => None,
        WireVerdict::Whole(Nothing {}) => Some(Verdict::Whole),
        WireVerdict::Damaged(found) => Some(Verdict::Damaged {
            found: digest(&found)?,
        }),
        WireVerdict::Skipped(Nothing {}) => Some(Verdict::Skipped),
    };
    Ok((cached(&artifact)?, verdict))
}

fn of(cached: &Cached) -> CachedArtifact {
    CachedArtifact {
        digest: cached.sha256.to_string(),
        size: cached.size,
        links: cached.leases,
        used: cached
            .used
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs()),
        from: Vec::new(),
    }
}

fn cached(artifact: &CachedArtifact) -> Result<Cached, Unreadable> {
    Ok(Cached {
        sha256: digest(&artifact.digest)?,
        size: artifact.size,
        leases: artifact.links,
        used: UNIX_EPOCH
            .checked_add(Duration::from_secs(artifact.used))
            .unwrap_or(UNIX_EPOCH),
    })
}

fn digest(text: &str) -> Result<Digest, Unreadable> {
    text.parse()
        .map_err(|e: crate::artifact::Error| e.to_string())
}

fn json(record: &Record) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|e| Error::Bug(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_arrives_as_it_was() {
        let phases = [
            Phase::Queued,
            Phase::Asking,
            Phase::Downloading,
            Phase::Pausing {
                why: "503".to_owned(),
                pause: Duration::from_millis(1500),
            },
            Phase::Rereading,
            Phase::Completed,
            Phase::MakingRoom,
        ];
        for (phase, total) in phases
            .into_iter()
            .zip([None, Some(0), Some(7)].into_iter().cycle())
        {
            let sent = Snapshot {
                url: "https://example.com/a.war".to_owned(),
                phase,
                done: 5,
                total,
                speed: u64::MAX,
            };
            let Some(Event::Progress(arrived)) = progress(sent.clone()).event else {
                panic!("no progress");
            };
            assert_eq!(snapshot(arrived), sent);
        }
    }

    #[test]
    fn every_verdict_arrives_as_it_was() {
        let seen = Cached {
            sha256: Digest::sha256([1; 32]),
            size: u64::MAX,
            leases: 3,
            used: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        };
        let found = Digest::sha256([2; 32]);
        let damaged = Verdict::Damaged { found };
        for sent in [
            None,
            Some(Verdict::Whole),
            Some(damaged),
            Some(Verdict::Skipped),
        ] {
            let arrived = verdict(verified(&seen, sent.clone())).unwrap();
            assert_eq!(arrived, (seen.clone(), sent));
        }
    }

    #[test]
    fn an_answer_that_lacks_something_is_named() {
        let nothing = VerifyEvent {
            artifact: None,
            verdict: None,
        };
        assert!(verdict(nothing).unwrap_err().contains("artifact"));
        let wrong = CachedArtifact {
            digest: "sha256:1".to_owned(),
            size: 0,
            links: 0,
            used: 0,
            from: Vec::new(),
        };
        assert!(held(wrong).is_err());
    }

    #[test]
    fn a_request_names_a_directory_from_the_root() {
        assert!(target("/srv/app".to_owned()).is_ok());
        for bad in ["", "app", "./app", "/", "/srv/../app"] {
            assert!(target(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
