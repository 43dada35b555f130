//! Behaviours together, and what is expected of them.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::super::{Expect, PATIENCE, Scene, outcome};
use super::client::{Ended, get};
use super::*;

use Expect::{MayFail, MustFail, MustSucceed};

fn scenes() -> impl Iterator<Item = Scene> {
    [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .map(|(pinned, tls)| Scene {
            pinned,
            tls,
            size: 1000,
            elsewhere: Some("http://127.0.0.1:1/x".to_owned()),
            plain: Some("http://127.0.0.1:1/x".to_owned()),
        })
}

#[test]
fn three_behaviours_act_on_one_answer() {
    let origin = origin(vec![
        B::FinAt { at: 50 }.times(1),
        B::Chunked.always(),
        B::IgnoresRange.always(),
        B::Interim { status: 103 }.always(),
    ]);
    let reply = get(&origin, PATH, &[("Range", "bytes=600-")]);
    assert_eq!(reply.statuses(), [103, 200]);
    assert_eq!(reply.chunks(), (sample(1000)[..50].to_vec(), false));
    assert_eq!(reply.ended, Ended::Fin);
    let fired = [
        "ignores the range",
        "sends chunks",
        "closes early",
        "hints before it answers",
    ];
    assert_eq!(origin.log()[0].fired, fired);
}

#[test]
fn of_two_in_one_place_the_second_waits_for_its_turn() {
    let origin = origin(vec![
        B::Refused { status: 403 }.always(),
        B::ResetAt { at: 10 }.times(1),
        B::Busy {
            status: 503,
            retry_after: RetryAfter::Unsaid,
        }
        .times(1),
    ]);
    let statuses: Vec<_> = (0..3).map(|_| get(&origin, PATH, &[]).status()).collect();
    assert_eq!(statuses, [503, 403, 403]);
    assert!(
        origin
            .log()
            .iter()
            .all(|seen| seen.sent == 0 || seen.status != 200)
    );
}

#[test]
fn every_behaviour_has_an_example_and_a_test_on_the_wire() {
    let source = syn::parse_file(include_str!("../behaviour.rs")).unwrap();
    let mut variants = Vec::new();
    for item in source.items {
        if let syn::Item::Enum(e) = item
            && e.ident == "Behaviour"
        {
            variants.extend(e.variants.iter().map(|v| v.ident.to_string()));
        }
    }
    assert!(variants.len() > 40);
    let tests = [
        include_str!("connection.rs"),
        include_str!("ends.rs"),
        include_str!("frame.rs"),
        include_str!("instead.rs"),
        include_str!("range.rs"),
    ]
    .concat();
    let examples: Vec<_> = scenes()
        .flat_map(|s| s.examples())
        .map(|s| format!("{:?}", s.behaviour))
        .collect();
    let is = |text: &str, name: &str| {
        text.split(|c: char| !c.is_alphanumeric())
            .any(|word| word == name)
    };
    for name in &variants {
        assert!(
            examples.iter().any(|e| is(e, name)),
            "{name} has no example"
        );
        assert!(is(&tests, name), "{name} has no test");
    }
}

#[test]
fn half_of_the_behaviours_must_be_survived() {
    for scene in scenes() {
        let examples = scene.examples();
        let names = |all: &[Spell], what: &dyn Fn(&Spell) -> bool| -> BTreeSet<&'static str> {
            all.iter().filter(|s| what(s)).map(Spell::name).collect()
        };
        let all = names(&examples, &|_| true).len();
        let survived = names(&examples, &|s| s.outcome(scene.pinned) == MustSucceed).len();
        assert!(2 * survived >= all, "{survived} of {all} in {scene:?}");
    }
}

#[test]
fn half_of_the_combinations_must_be_survived() {
    for scene in scenes() {
        let mut runner = TestRunner::deterministic();
        let strategy = scene.spells();
        let cases: Vec<_> = (0..2000)
            .map(|_| strategy.new_tree(&mut runner).unwrap().current())
            .collect();
        let count = |expect: Expect| cases.iter().filter(|(_, e)| *e == expect).count();
        let counts = [MustSucceed, MayFail, MustFail].map(count);
        assert!(
            counts[0] >= 1000 && counts[2] >= 150,
            "{counts:?} in {scene:?}"
        );
        let met: BTreeSet<_> = cases
            .iter()
            .flat_map(|(spells, _)| spells.iter().map(Spell::name))
            .collect();
        let possible: BTreeSet<_> = scene
            .examples()
            .iter()
            .filter(|s| outcome(&[(*s).clone()], scene.pinned).is_some())
            .map(Spell::name)
            .collect();
        let never: Vec<_> = possible.difference(&met).collect();
        assert!(never.is_empty(), "never met in {scene:?}: {never:?}");
        let sizes: BTreeSet<_> = cases.iter().map(|(spells, _)| spells.len()).collect();
        assert_eq!(sizes, BTreeSet::from([1, 2, 3]));
    }
}

#[test]
fn expectations_are_folded() {
    let reset = |n| B::ResetAt { at: 5 }.times(n);
    let fin = |n| B::FinAt { at: 5 }.times(n);
    let refused = || B::Refused { status: 403 }.always();
    assert_eq!(outcome(&[], false), Some(MustSucceed));
    assert_eq!(
        outcome(&[reset(2), fin(PATIENCE - 2)], false),
        Some(MustSucceed)
    );
    assert_eq!(
        outcome(&[reset(2), fin(PATIENCE - 1)], false),
        Some(MayFail)
    );
    assert_eq!(outcome(&[reset(2), refused()], false), Some(MustFail));
    assert_eq!(
        outcome(
            &[B::Changes {
                at: 5,
                behind: Validator::Weak
            }
            .times(1)],
            false
        ),
        Some(MustSucceed)
    );
    assert_eq!(
        outcome(
            &[B::Changes {
                at: 5,
                behind: Validator::Weak
            }
            .times(1)],
            true
        ),
        Some(MustFail)
    );
    // What makes no sense: the same twice, one that shadows another, lies that nobody could notice.
    assert_eq!(outcome(&[reset(1), reset(1)], false), None);
    assert_eq!(outcome(&[refused(), B::Garbage.always()], false), None);
    assert_eq!(outcome(&[B::OtherBytes.times(1)], false), None);
    // Nobody would notice the cut: so such a body is never taken without a checksum.
    let unframed = [B::CloseDelimited.always(), fin(1)];
    assert_eq!(outcome(&unframed, false), Some(MustFail));
    assert_eq!(outcome(&unframed, true), Some(MayFail));
    assert_eq!(
        outcome(
            &[
                B::RedirectElsewhere { to: String::new() }.always(),
                refused()
            ],
            false
        ),
        None
    );
    assert!(matches!(reset(1).times, Times::First(1)));
}
