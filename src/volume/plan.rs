//! What is to be done for a volume. Pure: what is wanted and what is there in, steps out.
//!
//! Invariants, each a property test: a satisfied volume has an empty plan; no plan touches what is not ours;
//! after a crash behind any step the same question leads to the same end.

use super::spec::Layout;

/// How shared bytes are shown so that no pod can ever write them (docs/design/layouts.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// A bind that is read-only from its first moment; only where the call itself says read-only, because then the
    /// container runtime keeps it so.
    Bind,
    /// An overlay without an upper layer: there is nothing that a runtime could make writable.
    ReadOnlyOverlay,
    /// An overlay with a layer of the volume's own.
    Overlay,
    /// A private copy, bound.
    Copy,
}

impl View {
    /// Every one once, for tables that must be complete.
    pub const ALL: [Self; 4] = [Self::Bind, Self::ReadOnlyOverlay, Self::Overlay, Self::Copy];

    /// Whether a pod may write to it.
    pub fn writable(self) -> bool {
        match self {
            Self::Bind | Self::ReadOnlyOverlay => false,
            Self::Overlay | Self::Copy => true,
        }
    }

    /// The name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::ReadOnlyOverlay => "read-only overlay",
            Self::Overlay => "overlay",
            Self::Copy => "copy",
        }
    }
}

/// The table of layouts; nothing where there is no safe form.
///
/// `call` is what the caller's `readonly` says, `writable` whether we let the volume be written. `relabels`: container
/// runtimes label files for their pod (SELinux), so that shared ones are shown by overlays alone.
pub fn view(call: bool, writable: bool, layout: Layout, relabels: bool) -> Option<View> {
    match (call, writable, layout) {
        (true, _, Layout::Auto | Layout::Copy) if relabels => Some(View::ReadOnlyOverlay),
        (true, _, Layout::Auto | Layout::Copy) => Some(View::Bind),
        (true, _, Layout::Overlay) | (false, false, Layout::Auto | Layout::Overlay) => {
            Some(View::ReadOnlyOverlay)
        }
        (false, true, Layout::Auto | Layout::Overlay) => Some(View::Overlay),
        (false, true, Layout::Copy) => Some(View::Copy),
        // A read-only bind does not start in a user namespace, and a writable one breaks the promise.
        (false, false, Layout::Copy) => None,
    }
}

/// What stands where the volume is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Nothing.
    Free,
    /// An empty directory.
    Empty,
    /// A directory with something in it.
    Full,
    /// A file, a link, a device.
    NoDirectory,
    /// This volume.
    Ours,
    /// Somebody else's mount.
    Foreign,
}

/// What is there of the volume on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordMatch {
    /// No directory: it was never published here, or unpublished.
    Nothing,
    /// Its directory, made from the same request (or with a record that cannot be read: that compares as equal).
    Same,
    /// Its directory, made from another request.
    Other,
}

/// One thing to do for a publish, in an order that a crash behind any of them leaves repairable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishStep {
    /// Get the artifact, however long it takes. Comes first: nothing exists before it is there.
    Acquire,
    /// Make the volume's directory with its lease, in one rename.
    MakeDirectory,
    /// Throw away the layers of a mount that is gone and make new ones.
    ResetLayers,
    /// Copy the artifact into the volume's own layer.
    CopyContent,
    /// Make the directory to mount on.
    MakeTarget,
    /// One mount.
    Mount(View),
}

/// The same for an unpublish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpublishStep {
    /// One unmount of ours.
    Unmount,
    /// Remove the directory that was mounted on, if it is ours to remove.
    RemoveTarget,
    /// Take the volume's directory and its lease out of sight.
    RemoveDirectory,
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The volume exists with other attributes.
    Differs,
    /// Something that is not ours is in the way.
    Occupied(TargetState),
}

/// Whether a volume is shown as it should be: then neither its attributes nor anything else matter any more.
pub fn is_satisfied(record_match: RecordMatch, target: TargetState) -> bool {
    (record_match, target) == (RecordMatch::Same, TargetState::Ours)
}

/// The steps from what is there to a volume that is shown.
pub fn publish(
    view: View,
    record_match: RecordMatch,
    target: TargetState,
) -> Result<Vec<PublishStep>, Refusal> {
    match (record_match, target) {
        (RecordMatch::Other, _) => return Err(Refusal::Differs),
        _ if is_satisfied(record_match, target) => return Ok(Vec::new()),
        (_, TargetState::Full | TargetState::NoDirectory | TargetState::Foreign) => {
            return Err(Refusal::Occupied(target));
        }
        // Mounted although its directory is gone: somebody removed it by hand. What is shown stays; it is ours no more.
        (_, TargetState::Ours) => return Err(Refusal::Occupied(TargetState::Foreign)),
        (RecordMatch::Nothing | RecordMatch::Same, TargetState::Free | TargetState::Empty) => {}
    }
    let mut steps = match record_match {
        RecordMatch::Nothing => vec![PublishStep::Acquire, PublishStep::MakeDirectory],
        // Published before: the content is in its own directory, whatever the origin or the pull policy say.
        RecordMatch::Same | RecordMatch::Other => vec![PublishStep::ResetLayers],
    };
    if view == View::Copy {
        steps.push(PublishStep::CopyContent);
    }
    if target == TargetState::Free {
        steps.push(PublishStep::MakeTarget);
    }
    steps.push(PublishStep::Mount(view));
    Ok(steps)
}

/// Whether nothing can be shown, in whatever way.
pub fn refuses(record_match: RecordMatch, target: TargetState) -> bool {
    publish(View::Bind, record_match, target).is_err()
}

/// The steps from what is there to nothing.
pub fn unpublish(
    record_match: RecordMatch,
    target: TargetState,
    remove_target: bool,
) -> Result<Vec<UnpublishStep>, Refusal> {
    let mut steps = Vec::new();
    match target {
        TargetState::Foreign => return Err(Refusal::Occupied(target)),
        TargetState::Ours => steps.push(UnpublishStep::Unmount),
        TargetState::Free | TargetState::Empty | TargetState::Full | TargetState::NoDirectory => {}
    }
    // What is under our mount is seen only once that is gone; an `rmdir` of something that is not empty fails.
    if remove_target && matches!(target, TargetState::Ours | TargetState::Empty) {
        steps.push(UnpublishStep::RemoveTarget);
    }
    if record_match != RecordMatch::Nothing {
        steps.push(UnpublishStep::RemoveDirectory);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A world small enough to try everything in.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct World {
        record_match: RecordMatch,
        target: TargetState,
    }

    impl World {
        fn after(mut self, step: PublishStep) -> Self {
            match step {
                PublishStep::Acquire | PublishStep::ResetLayers | PublishStep::CopyContent => {}
                PublishStep::MakeDirectory => self.record_match = RecordMatch::Same,
                PublishStep::MakeTarget => self.target = TargetState::Empty,
                PublishStep::Mount(_) => self.target = TargetState::Ours,
            }
            self
        }

        fn without(mut self, step: UnpublishStep) -> Self {
            match step {
                UnpublishStep::Unmount => self.target = TargetState::Empty,
                UnpublishStep::RemoveTarget => self.target = TargetState::Free,
                UnpublishStep::RemoveDirectory => self.record_match = RecordMatch::Nothing,
            }
            self
        }
    }

    fn views() -> impl Strategy<Value = View> {
        prop_oneof![
            Just(View::Bind),
            Just(View::ReadOnlyOverlay),
            Just(View::Overlay),
            Just(View::Copy)
        ]
    }

    fn worlds() -> impl Strategy<Value = World> {
        let record_match = prop_oneof![
            Just(RecordMatch::Nothing),
            Just(RecordMatch::Same),
            Just(RecordMatch::Other)
        ];
        let target = prop_oneof![
            Just(TargetState::Free),
            Just(TargetState::Empty),
            Just(TargetState::Full),
            Just(TargetState::NoDirectory),
            Just(TargetState::Ours),
            Just(TargetState::Foreign)
        ];
        (record_match, target).prop_map(|(record_match, target)| World {
            record_match,
            target,
        })
    }

    const SHOWN: World = World {
        record_match: RecordMatch::Same,
        target: TargetState::Ours,
    };

    proptest! {
        #[test]
        fn a_satisfied_volume_has_an_empty_plan(view in views()) {
            prop_assert_eq!(publish(view, SHOWN.record_match, SHOWN.target), Ok(vec![]));
        }

        #[test]
        fn every_plan_ends_shown_and_mounts_once(view in views(), world in worlds()) {
            if let Ok(steps) = publish(view, world.record_match, world.target) {
                let end = steps.iter().fold(world, |w, s| w.after(*s));
                prop_assert_eq!(end, SHOWN);
                let mounts = steps.iter().filter(|s| matches!(s, PublishStep::Mount(_))).count();
                prop_assert_eq!(mounts, usize::from(world != SHOWN));
                prop_assert!(steps.iter().position(|s| *s == PublishStep::Acquire).is_none_or(|i| i == 0));
            }
        }

        #[test]
        fn after_a_crash_behind_any_step_the_same_call_leads_to_the_same_end(
            view in views(), world in worlds(), stop in 0_usize..8
        ) {
            if let Ok(steps) = publish(view, world.record_match, world.target) {
                let crashed = steps.iter().take(stop).fold(world, |w, s| w.after(*s));
                let again = publish(view, crashed.record_match, crashed.target).expect("no refusal after a crash");
                prop_assert_eq!(again.iter().fold(crashed, |w, s| w.after(*s)), SHOWN);
                let undo = unpublish(crashed.record_match, crashed.target, true).expect("nothing foreign");
                let end = undo.iter().fold(crashed, |w, s| w.without(*s));
                prop_assert_eq!(end, World { record_match: RecordMatch::Nothing, target: TargetState::Free });
            }
        }

        #[test]
        fn what_is_not_ours_is_never_touched(view in views(), world in worlds()) {
            if matches!(world.target, TargetState::Full | TargetState::NoDirectory | TargetState::Foreign) {
                prop_assert!(publish(view, world.record_match, world.target).is_err());
            }
            let undo = unpublish(world.record_match, world.target, true).unwrap_or_default();
            if world.target != TargetState::Ours {
                prop_assert!(!undo.contains(&UnpublishStep::Unmount));
            }
            if matches!(world.target, TargetState::Full | TargetState::NoDirectory | TargetState::Foreign) {
                prop_assert!(!undo.contains(&UnpublishStep::RemoveTarget));
            }
        }

        #[test]
        fn unpublish_of_nothing_is_nothing(remove in any::<bool>()) {
            prop_assert_eq!(unpublish(RecordMatch::Nothing, TargetState::Free, remove), Ok(vec![]));
        }
    }

    #[test]
    fn the_table_of_layouts() {
        for (call, writable, layout, expected) in [
            (true, true, Layout::Auto, Some(View::Bind)),
            (true, false, Layout::Copy, Some(View::Bind)),
            (true, false, Layout::Overlay, Some(View::ReadOnlyOverlay)),
            (true, true, Layout::Overlay, Some(View::ReadOnlyOverlay)),
            (false, false, Layout::Auto, Some(View::ReadOnlyOverlay)),
            (false, false, Layout::Overlay, Some(View::ReadOnlyOverlay)),
            (false, false, Layout::Copy, None),
            (false, true, Layout::Auto, Some(View::Overlay)),
            (false, true, Layout::Overlay, Some(View::Overlay)),
            (false, true, Layout::Copy, Some(View::Copy)),
        ] {
            assert_eq!(view(call, writable, layout, false), expected);
            // With SELinux the same, but for the bind of shared files.
            let labelled = match expected {
                Some(View::Bind) => Some(View::ReadOnlyOverlay),
                other => other,
            };
            assert_eq!(view(call, writable, layout, true), labelled);
        }
    }
}
