//! Packs that are none: lengths, checksums, deltas.

use super::super::pack::{Maker, advertise, framed, serving};
use super::super::{Place, options};
use super::{SOME_COMMIT, malformed, refused};
use gradus_fetch::git::{FetchError, ObjectId};
use gradus_fetch::net::NetError;
use gradus_servers::server::Server;

#[test]
fn objects_that_unpack_to_more_or_less_than_they_say_are_refused() {
    let with = |size: u64, content: &[u8]| {
        let mut maker = Maker::new();
        maker.raw(3, size, &[], content);
        maker.finish()
    };
    malformed(
        with(10, &vec![0; 64 << 20]),
        SOME_COMMIT,
        "longer than it says",
    );
    malformed(with(1000, b"short"), SOME_COMMIT, "shorter than it says");
    let mut maker = Maker::new();
    maker.raw(0, 0, &[], b"");
    malformed(maker.finish(), SOME_COMMIT, "no known kind");
    let mut maker = Maker::new();
    maker.raw(5, 0, &[], b"");
    malformed(maker.finish(), SOME_COMMIT, "no known kind");
}

#[test]
fn packs_that_are_cut_off_changed_or_too_long_are_refused() {
    let mut maker = Maker::new();
    let blob = maker.blob(&gradus_servers::registry::noise(10_000, 1));
    let tree = maker.tree(&[("100644", b"f", blob)]);
    let commit = maker.commit(&tree).to_string();
    let pack = maker.finish();
    malformed(pack[..20].to_vec(), &commit, "shorter than an empty one");
    malformed(pack[..5000].to_vec(), &commit, "cut off");
    malformed(maker.finish_with(4), &commit, "in the middle of an object");
    malformed(maker.finish_with(2), &commit, "more follows");
    let mut changed = pack.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    malformed(changed, &commit, "checksum");
    let mut changed = pack.clone();
    changed[7] = 9;
    malformed(changed, &commit, "version 2 or 3");
    malformed(vec![], &commit, "shorter than an empty one");
    // The connection ends without an end.
    let mut answer = framed(&pack);
    answer.truncate(5000);
    let server = Server::start(move |request, peer| {
        if !advertise(request, peer) {
            peer.answer(200, &[], &answer);
        }
    });
    let error = refused(&server, &commit);
    assert!(
        matches!(error, FetchError::Net(NetError::Network { .. })),
        "{error:?}"
    );
}

/// A delta that begins with these lengths.
fn delta(base: u8, result: u8, rest: &[u8]) -> Vec<u8> {
    [&[base, result], rest].concat()
}

#[test]
fn deltas_are_followed_and_nonsense_in_them_is_refused() {
    // "hello\n" to "hello hello\n": copy 5, insert " ", copy 6.
    let good = delta(6, 12, &[0x90, 5, 1, b' ', 0x90, 6]);
    let pack = |deltas: &[&[u8]]| {
        let mut maker = Maker::new();
        let begin = maker.offset();
        let base = maker.blob(b"hello\n");
        for delta in deltas {
            let back = maker.offset() - begin;
            assert!(back < 128);
            maker.raw(6, delta.len() as u64, &[back as u8], delta);
        }
        let made = ObjectId::of(
            gradus_fetch::git::Algorithm::Sha1,
            gradus_fetch::git::Kind::Blob,
            b"hello hello\n",
        );
        let tree = maker.tree(&[("100644", b"a", base), ("100644", b"b", made)]);
        let commit = maker.commit(&tree).to_string();
        (maker.finish(), commit)
    };
    let (bytes, commit) = pack(&[&good]);
    let server = serving(bytes);
    let place = Place::new();
    place.fetch(options(&server), &server, &commit).unwrap();
    assert_eq!(
        std::fs::read(place.dir().join("b")).unwrap(),
        b"hello hello\n"
    );
    for (wrong, reason) in [
        (delta(6, 12, &[0x90, 7]), "behind its base's end"),
        (delta(6, 12, &[0x91, 255, 255]), "behind its base's end"),
        (
            delta(6, 12, &[0xff, 255, 255, 255, 255, 255, 255, 255]),
            "behind its base's end",
        ),
        (delta(6, 3, &[0x90, 6]), "more than it says"),
        (delta(6, 120, &[0x90, 6]), "less than it says"),
        (delta(6, 12, &[0]), "reserved"),
        (delta(6, 12, &[20, b'x']), "middle of an instruction"),
        (delta(6, 12, &[0xff]), "middle of an instruction"),
        (delta(5, 12, &[0x90, 5]), "another length"),
        (vec![0xff; 20], "how long it is"),
        (vec![], "how long it is"),
    ] {
        let (bytes, commit) = pack(&[&wrong]);
        malformed(bytes, &commit, reason);
    }
}

#[test]
fn deltas_without_a_base_or_in_a_circle_are_refused() {
    let id = SOME_COMMIT.parse::<ObjectId>().unwrap();
    let instructions = delta(6, 6, &[0x90, 6]);
    let mut maker = Maker::new();
    maker.raw(7, instructions.len() as u64, id.as_bytes(), &instructions);
    malformed(maker.finish(), SOME_COMMIT, "base is not in the pack");
    for back in [0u8, 1, 12, 100] {
        let mut maker = Maker::new();
        maker.blob(b"hello\n");
        maker.raw(6, instructions.len() as u64, &[back], &instructions);
        malformed(maker.finish(), SOME_COMMIT, "no object before it");
    }
    let mut maker = Maker::new();
    maker.raw(6, instructions.len() as u64, &[0xff; 9], &instructions);
    malformed(maker.finish(), SOME_COMMIT, "no number");
}
