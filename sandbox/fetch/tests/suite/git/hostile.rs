//! A server that sends what no git would: each is a typed error in bounded time, and nothing is left.

use super::pack::{ADVERTISEMENT, Maker, advertise, framed, serving};
use super::{Place, options};
use crate::server::{Peer, Request, Server};
use gradus_fetch::Owner;
use gradus_fetch::git::{FetchError, FetchOptions, Fetcher, ObjectId, PackError};
use gradus_fetch::net::{NetError, Reach};
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

#[test]
fn a_tree_that_is_itself_ten_times_over_is_not_written() {
    let (server, commit) = of_tree(|maker| {
        let blob = maker.blob(b"bomb");
        let names: Vec<String> = (0..10).map(|i| format!("d{i}")).collect();
        let mut tree = maker.tree(&[("100644", b"f", blob)]);
        for _ in 0..10 {
            let entries: Vec<_> = names
                .iter()
                .map(|n| ("40000", n.as_bytes(), tree))
                .collect();
            tree = maker.tree(&entries);
        }
        tree
    });
    let error = refused(&server, &commit);
    assert!(
        matches!(
            error,
            FetchError::TooMuch {
                what: "files and directories",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn one_blob_many_times_over_is_not_written() {
    let (server, commit) = of_tree(|maker| {
        let blob = maker.blob(&vec![b'x'; 1 << 20]);
        let names: Vec<String> = (0..100).map(|i| format!("f{i:03}")).collect();
        let entries: Vec<_> = names
            .iter()
            .map(|n| ("100644", n.as_bytes(), blob))
            .collect();
        maker.tree(&entries)
    });
    let error = refused_with(&server, &commit, |options| {
        options.caps.tree_bytes = 50 << 20
    });
    assert!(
        matches!(
            error,
            FetchError::TooMuch {
                what: "bytes in its files",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn trees_that_are_too_deep_are_refused() {
    let (server, commit) = of_tree(|maker| {
        let blob = maker.blob(b"x");
        let mut tree = maker.tree(&[("100644", b"f", blob)]);
        for _ in 0..70 {
            tree = maker.tree(&[("40000", b"d", tree)]);
        }
        tree
    });
    let error = refused(&server, &commit);
    assert!(
        matches!(
            error,
            FetchError::TooMuch {
                what: "directories below each other",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn large_files_packs_and_numbers_of_objects_are_refused() {
    let (server, commit) = of_tree(|maker| {
        let blob = maker.blob(&vec![b'x'; 10 << 20]);
        maker.tree(&[("100644", b"f", blob)])
    });
    for change in [
        (|options: &mut FetchOptions| options.caps.pack.object_bytes = 5 << 20)
            as fn(&mut FetchOptions),
        |options| options.caps.pack.unpacked_bytes = 5 << 20,
        |options| options.caps.pack.pack_bytes = 5 << 10,
        |options| options.caps.pack.objects = 2,
    ] {
        let error = refused_with(&server, &commit, change);
        let FetchError::Pack { source, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(matches!(source, PackError::TooMuch { .. }), "{source:?}");
    }
    let error = refused_with(&server, &commit, |options| {
        options.caps.file_bytes = 5 << 20
    });
    assert!(
        matches!(
            error,
            FetchError::TooMuch {
                what: "bytes in one file",
                ..
            }
        ),
        "{error:?}"
    );
}

/// Parameters that were trained elsewhere are only files: they are refused by their size, or whoever judges the repository is told.
#[test]
fn results_that_are_smuggled_in_are_bounded_and_reported() {
    let noise = super::super::registry::image::noise(3 << 20, 7);
    let (server, commit) = of_tree(|maker| {
        let model = maker.blob(&noise);
        let zeros = maker.blob(&vec![0; 4 << 20]);
        let code = maker.blob(b"print()\n");
        let inner = maker.tree(&[("100644", b"model.bin", model)]);
        let entries: [(&str, &[u8], ObjectId); 3] = [
            ("100644", b"main.py", code),
            ("40000", b"w\x1b", inner),
            ("100644", b"zeros", zeros),
        ];
        maker.tree(&entries)
    });
    let place = Place::new();
    let mut reporting = options(&server);
    reporting.large_bytes = 2 << 20;
    let fetched = place.fetch(reporting, &server, &commit).unwrap();
    let large: Vec<_> = fetched
        .large
        .iter()
        .map(|large| (large.path.as_str(), large.bytes))
        .collect();
    assert_eq!(
        large,
        [("zeros", 4 << 20), ("w\u{fffd}/model.bin", 3 << 20)]
    );
    assert_eq!(fetched.large[0].entropy_millibits, 0);
    assert!(fetched.large[1].entropy_millibits > 7990, "{fetched:?}");
    for change in [
        (|options: &mut FetchOptions| options.caps.file_bytes = 2 << 20) as fn(&mut FetchOptions),
        |options| options.caps.tree_bytes = 5 << 20,
        |options| options.caps.pack.pack_bytes = 1 << 20,
    ] {
        let error = refused_with(&server, &commit, change);
        assert_eq!(error.owner(), Owner::Submission, "{error:?}");
    }
}

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
    let blob = maker.blob(&super::super::registry::image::noise(10_000, 1));
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

#[test]
fn names_that_are_git_s_or_lead_elsewhere_or_are_one_to_others_are_refused() {
    for names in [
        &[".git"][..],
        &[".GIT"],
        &["git~1"],
        &[".g\u{200c}it"],
        &[".git "],
        &[".."],
        &["."],
        &["a/b"],
        &["/etc"],
        &[""],
        &["A", "a"],
        &["README", "readme"],
    ] {
        let (server, commit) = of_tree(|maker| {
            let blob = maker.blob(b"x");
            let entries: Vec<_> = names
                .iter()
                .map(|n| ("100644", n.as_bytes(), blob))
                .collect();
            maker.tree(&entries)
        });
        let error = refused(&server, &commit);
        assert!(
            matches!(error, FetchError::Object { .. }),
            "{names:?}: {error:?}"
        );
        assert_eq!(error.owner(), Owner::Submission);
    }
}

#[test]
fn a_link_and_a_directory_of_one_name_are_refused() {
    // Whoever followed the link would write where it leads.
    let (server, commit) = of_tree(|maker| {
        let link = maker.blob(b"/tmp");
        let inner = maker.tree(&[("100644", b"owned", link)]);
        maker.tree(&[("120000", b"a", link), ("40000", b"a", inner)])
    });
    let error = refused(&server, &commit);
    assert!(matches!(error, FetchError::Object { .. }), "{error:?}");
}

#[test]
fn links_that_no_kernel_takes_are_refused() {
    let long = vec![b'a'; 5000];
    for target in [&b""[..], b"a\0b", &long] {
        let (server, commit) = of_tree(|maker| {
            let link = maker.blob(target);
            maker.tree(&[("120000", b"a", link)])
        });
        let error = refused(&server, &commit);
        assert!(matches!(error, FetchError::Entry { .. }), "{error:?}");
    }
}

#[test]
fn a_server_that_sends_something_else_is_refused() {
    let mut maker = Maker::new();
    let blob = maker.blob(b"x");
    let tree = maker.tree(&[("100644", b"f", blob)]);
    let other = maker.commit(&tree);
    let server = serving(maker.finish());
    // Another commit than was asked for; a blob; a tree.
    let error = refused(&server, SOME_COMMIT);
    assert!(matches!(error, FetchError::Missing { .. }), "{error:?}");
    for id in [blob, tree] {
        let error = refused(&server, &id.to_string());
        assert!(matches!(error, FetchError::Entry { .. }), "{error:?}");
    }
    let _ = other;
    // Trees and blobs that are missing, or of another kind than their entry says.
    let (server, commit) = of_tree(|maker| maker.tree(&[("100644", b"f", other)]));
    assert!(matches!(
        refused(&server, &commit),
        FetchError::Missing { .. }
    ));
    let (server, commit) = of_tree(|maker| {
        let blob = maker.blob(b"x");
        maker.tree(&[("40000", b"f", blob)])
    });
    assert!(matches!(
        refused(&server, &commit),
        FetchError::Entry { .. }
    ));
}

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
    let _ = ADVERTISEMENT;
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
