//! A server that sends what no git would: each is a typed error in bounded time, and nothing is left.

mod packs;
mod servers;
mod sizes;
mod trees;

use super::pack::{Maker, serving};
use super::{Place, options};
use gradus_fetch::Owner;
use gradus_fetch::git::{FetchError, FetchOptions, ObjectId, PackError};
use gradus_servers::server::Server;
use std::time::{Duration, Instant};

const SOME_COMMIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

#[track_caller]
fn refused(server: &Server, commit: &str) -> FetchError {
    refused_with(server, commit, |_| {})
}

#[track_caller]
fn refused_with(
    server: &Server,
    commit: &str,
    change: impl FnOnce(&mut FetchOptions),
) -> FetchError {
    let place = Place::new();
    let begun = Instant::now();
    let mut options = options(server);
    change(&mut options);
    let error = place
        .fetch(options, server, commit)
        .expect_err("it is refused");
    assert!(begun.elapsed() < Duration::from_secs(30), "{error:?}");
    place.is_empty();
    error
}

/// A pack with one tree, and its commit.
fn of_tree(make: impl FnOnce(&mut Maker) -> ObjectId) -> (Server, String) {
    let mut maker = Maker::new();
    let tree = make(&mut maker);
    let commit = maker.commit(&tree).to_string();
    (serving(maker.finish()), commit)
}

#[track_caller]
fn malformed(pack: Vec<u8>, commit: &str, expected: &str) {
    let error = refused(&serving(pack), commit);
    let FetchError::Pack { source, .. } = &error else {
        panic!("{expected}: {error:?}")
    };
    let PackError::Malformed { reason, .. } = source else {
        panic!("{expected}: {error:?}")
    };
    assert!(reason.contains(expected), "{expected}: {reason}");
    assert_eq!(error.owner(), Owner::Submission);
}

#[test]
fn a_good_pack_is_taken_so_the_others_are_refused_for_what_is_wrong_with_them() {
    let (server, commit) = of_tree(|maker| {
        let blob = maker.blob(b"hello\n");
        maker.tree(&[("100644", b"a", blob), ("100755", b"b", blob)])
    });
    let place = Place::new();
    let fetched = place.fetch(options(&server), &server, &commit).unwrap();
    assert_eq!((fetched.files, fetched.bytes, fetched.objects), (2, 12, 3));
    assert_eq!(std::fs::read(place.dir().join("b")).unwrap(), b"hello\n");
}
