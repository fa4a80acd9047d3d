//! Servers that stall, talk nonsense, or must not be asked.

use super::super::pack::advertise;
use super::super::{Place, options};
use super::{SOME_COMMIT, of_tree, refused, refused_with};
use gradus_fetch::Owner;
use gradus_fetch::git::{FetchError, FetchOptions, Fetcher, PackError};
use gradus_fetch::net::{NetError, Reach};
use gradus_servers::server::{Peer, Request, Server};
use std::time::Duration;

#[test]
fn servers_that_stall_at_any_point_are_left() {
    let (_, commit) = of_tree(|maker| maker.tree(&[]));
    let stall = |_: &Request, peer: &mut Peer| peer.stall();
    let later = |request: &Request, peer: &mut Peer| {
        if !advertise(request, peer) {
            peer.head(200, &[]);
            peer.raw(b"000dpackfile\n0009\x01PACK");
            peer.stall();
        }
    };
    for server in [Server::start(stall), Server::start(later)] {
        let error = refused(&server, &commit);
        assert!(
            matches!(error, FetchError::Net(NetError::Stalled { .. })),
            "{error:?}"
        );
    }
    // One that says for ever that it is there is left when time is over.
    let server = Server::start(|request: &Request, peer: &mut Peer| {
        if !advertise(request, peer) {
            peer.head(200, &[]);
            peer.raw(b"000dpackfile\n");
            while peer.raw(b"0005\x01") {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    let error = refused_with(&server, &commit, |options| {
        options.limits.total = Duration::from_secs(1)
    });
    assert!(
        matches!(error, FetchError::Net(NetError::Total { .. })),
        "{error:?}"
    );
}

/// Packs without an end, well framed and of bytes that could be one: the first limit that they meet ends them.
#[test]
fn a_pack_without_an_end_is_refused_before_it_fills_the_disk() {
    let server = Server::start(|request: &Request, peer: &mut Peer| {
        if advertise(request, peer) {
            return;
        }
        peer.head(200, &[]);
        peer.raw(b"000dpackfile\n");
        let mut part = format!("{:04x}\x01", 60_005).into_bytes();
        part.resize(60_005, 0x78);
        while peer.raw(&part) {}
    });
    let error = refused_with(&server, SOME_COMMIT, |options| {
        options.caps.pack.pack_bytes = 3 << 20;
    });
    let FetchError::Pack { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(source, PackError::TooMuch { what: "bytes", .. }),
        "{source:?}"
    );
}

/// Redirects end, and none leads into this machine's network.
#[test]
fn redirects_of_git_servers_are_followed_only_so_far() {
    let circle = Server::start(|request: &Request, peer: &mut Peer| {
        peer.answer(302, &[("location", &request.path)], b"");
    });
    let error = refused(&circle, SOME_COMMIT);
    assert!(
        matches!(error, FetchError::Net(NetError::Redirects { .. })),
        "{error:?}"
    );
    for to in ["https://127.0.0.1:9/repo", "https://169.254.169.254/repo"] {
        let server = Server::start(move |_: &Request, peer: &mut Peer| {
            peer.answer(302, &[("location", to)], b"");
        });
        let error = refused(&server, SOME_COMMIT);
        assert!(
            matches!(error, FetchError::Net(NetError::Private { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn answers_that_are_no_git_servers_are_refused() {
    let answer = |bytes: &'static [u8]| Server::start(move |_, peer| peer.answer(200, &[], bytes));
    for (bytes, reason) in [
        (&b"<html>"[..], "packets have no length"),
        (b"0000", "no version 2"),
        (b"", "no version 2"),
        (b"001e# service=git-upload-pack\n0000003fce013625030ba8dba906f756967f9e9ca394464a refs/heads/main\n\0x0000", "no version 2"),
        (b"000eversion 2\n0000", "no shallow fetch"),
    ] {
        let error = refused(&answer(bytes), SOME_COMMIT);
        let FetchError::Protocol { reason: found, .. } = error else { panic!("{reason}: {error:?}") };
        assert!(found.contains(reason), "{found}");
    }
    let endless = Server::start(|_, peer| {
        peer.head(200, &[]);
        peer.raw(b"000eversion 2\n");
        while peer.raw(&b"0009abcd\n".repeat(100)) {}
    });
    let error = refused(&endless, SOME_COMMIT);
    assert!(matches!(error, FetchError::Protocol { .. }), "{error:?}");
    let other = answer(b"000eversion 2\n0013fetch=shallow \n0019object-format=sha256\n0000");
    let error = refused(&other, SOME_COMMIT);
    assert!(matches!(error, FetchError::Format { .. }), "{error:?}");
    for (bytes, check) in [
        (
            &b"0014ERR go away\x1b[2Jx0000"[..],
            (|e| matches!(e, FetchError::Said { said, .. } if !said.contains('\x1b')))
                as fn(&FetchError) -> bool,
        ),
        (b"000dpackfile\n000a\x03wrong0000", |e| {
            matches!(e, FetchError::Said { .. })
        }),
        (b"000dpackfile\n0006\x07x0000", |e| {
            matches!(e, FetchError::Protocol { .. })
        }),
        (b"0000", |e| matches!(e, FetchError::Protocol { .. })),
    ] {
        let server = Server::start(move |request, peer| {
            if !advertise(request, peer) {
                peer.answer(200, &[], bytes);
            }
        });
        let error = refused(&server, SOME_COMMIT);
        assert!(check(&error), "{error:?}");
    }
}

#[test]
fn addresses_that_are_not_public_https_are_refused_before_anything_is_asked() {
    let server = Server::start(|_, peer| peer.answer(200, &[], b""));
    let place = Place::new();
    let commit = SOME_COMMIT.parse().unwrap();
    let fetch = |url: &str, options: FetchOptions| {
        Fetcher::new(options)
            .fetch(url, &commit, None, &place.dir())
            .expect_err("it is refused")
    };
    for url in [
        "",
        "x",
        "/tmp/repo",
        "file:///tmp/repo",
        "ssh://git@github.com/a/b",
        "git@github.com:a/b",
        "git://github.com/a/b",
        "ext::sh -c id",
        "http://github.com/a/b",
        "https://user:pw@github.com/a/b",
        "https://github.com/a/b?x=y",
        "https://github.com/a/b#x",
        "https://github.com",
        "https://github.com/",
        "--upload-pack=id",
    ] {
        let error = fetch(
            url,
            FetchOptions {
                plain_loopback: true,
                ..options(&server)
            },
        );
        assert!(matches!(error, FetchError::Url { .. }), "{url}: {error:?}");
        assert!(!error.to_string().contains("pw"));
    }
    let here = format!("http://{}/repo", server.address());
    let error = fetch(&here, FetchOptions::default());
    assert!(matches!(error, FetchError::Url { .. }), "{error:?}");
    let error = fetch(
        &here,
        FetchOptions {
            reach: Reach::public(),
            ..options(&server)
        },
    );
    assert!(
        matches!(error, FetchError::Net(NetError::Private { .. })),
        "{error:?}"
    );
    assert_eq!(error.owner(), Owner::Submission);
    assert!(server.requests().is_empty());
    place.is_empty();
}
