//! Bodies that are slow, and bodies that stop before their end.

use super::client::{Ended, Reply, get, hasty_get};
use super::*;

fn first(spell: Spell) -> Reply {
    get(&origin(vec![spell]), PATH, &[])
}

fn first_in_haste(spell: Spell) -> Reply {
    hasty_get(&origin(vec![spell]), PATH, &[])
}

#[test]
fn a_byte_at_a_time() {
    let origin = origin(vec![B::Trickle { ms: 10 }.times(1)]);
    origin.put(PATH, Object::new(sample(8)));
    let reply = get(&origin, PATH, &[]);
    assert_eq!(reply.body(), sample(8));
    assert!(reply.took.as_millis() >= 80);
}

#[test]
fn a_pause_is_made_at_its_byte() {
    let reply = first(B::Pause { at: 500, ms: 50 }.always());
    assert_eq!(reply.body(), sample(1000));
    assert!(reply.took.as_millis() >= 50);
    let silent = first_in_haste(B::Pause { at: 500, ms: 1000 }.always());
    assert_eq!((silent.body().len(), silent.ended), (500, Ended::Silence));
}

#[test]
fn a_reset_comes_at_its_byte() {
    for at in [0, 1, 999] {
        for origin in [
            origin(vec![B::ResetAt { at }.times(2)]),
            tls_origin(vec![B::ResetAt { at }.times(2)]),
        ] {
            for _ in 0..2 {
                let reply = get(&origin, PATH, &[]);
                assert_eq!((reply.length(), reply.ended), (Some(1000), Ended::Reset));
                assert_eq!(reply.body().len() as u64, at);
            }
            assert_eq!(get(&origin, PATH, &[]).body(), sample(1000));
            assert_eq!(origin.bytes_sent(PATH), 2 * at + 1000);
        }
    }
}

#[test]
fn a_reset_loses_nothing_that_was_sent_before() {
    let origin = origin(vec![B::ResetAt { at: 700_000 }.times(1)]);
    origin.put(PATH, Object::new(sample(900_000)));
    let reply = get(&origin, PATH, &[]);
    assert_eq!((reply.body().len(), reply.ended), (700_000, Ended::Reset));
}

#[test]
fn a_connection_closes_early_at_its_byte() {
    for origin in [
        origin(vec![B::FinAt { at: 400 }.times(1)]),
        tls_origin(vec![B::FinAt { at: 400 }.times(1)]),
    ] {
        let reply = get(&origin, PATH, &[]);
        assert_eq!(
            (reply.length(), reply.body().len(), reply.ended),
            (Some(1000), 400, Ended::Fin)
        );
        let rest = get(&origin, PATH, &[("Range", "bytes=400-")]);
        assert_eq!(rest.body(), &sample(1000)[400..]);
    }
}

#[test]
fn chunks_are_truncated() {
    let reply = first(B::ChunkedCut { at: 400 }.times(1));
    assert_eq!(reply.chunks(), (sample(1000)[..400].to_vec(), false));
    assert_eq!(reply.ended, Ended::Fin);
}

#[test]
fn tls_closes_without_close_notify() {
    let spells = || vec![B::TlsCut { at: 400 }.times(1)];
    let reply = get(&tls_origin(spells()), PATH, &[]);
    assert_eq!(
        (reply.body().len(), reply.ended),
        (400, Ended::NoCloseNotify)
    );
    let plain = get(&origin(spells()), PATH, &[]);
    assert_eq!(plain.body(), sample(1000), "only under TLS");
}

#[test]
fn a_body_falls_silent_at_its_byte() {
    let reply = first_in_haste(B::SilenceAt { at: 400 }.times(1));
    assert_eq!((reply.body().len(), reply.ended), (400, Ended::Silence));
}

#[test]
fn a_cut_behind_the_end_waits_for_a_longer_body() {
    let origin = origin(vec![B::ResetAt { at: 500 }.times(1)]);
    let end = get(&origin, PATH, &[("Range", "bytes=900-")]);
    assert_eq!((end.body().len(), end.ended), (100, Ended::Fin));
    assert_eq!(get(&origin, PATH, &[]).ended, Ended::Reset);
}

#[test]
fn an_object_changes_half_way() {
    for (behind, status) in [
        (Validator::Strong, 200),
        (Validator::Weak, 200),
        (Validator::None, 206),
        (Validator::Second, 206),
        (Validator::Ripening, 200),
        (Validator::Mirrored, 200),
    ] {
        let origin = origin(vec![B::Changes { at: 400, behind }.times(1)]);
        let begin = get(&origin, PATH, &[]);
        assert_eq!(
            (begin.body(), begin.ended),
            (&sample(1000)[..400], Ended::Reset)
        );
        let mut headers = vec![("Range", "bytes=400-")];
        let tag = begin.header("etag");
        headers.extend(tag.map(|tag| ("If-Range", tag)));
        let rest = get(&origin, PATH, &headers);
        assert_eq!(rest.status(), status, "{behind:?}");
        let other = &origin.contents(PATH)[1];
        assert_eq!(rest.body(), &other[if status == 206 { 400 } else { 0 }..]);
        assert!(sample(1000).iter().zip(other.iter()).all(|(a, b)| a != b));
        match behind {
            Validator::Strong | Validator::Ripening | Validator::Mirrored => {
                assert_ne!(tag, rest.header("etag"));
            }
            Validator::Second => assert_eq!(tag, rest.header("etag")),
            Validator::Weak => {
                assert!(tag == rest.header("etag") && tag.unwrap().starts_with("W/"))
            }
            Validator::None => assert!(tag.is_none() && begin.header("last-modified").is_none()),
        }
    }
}
