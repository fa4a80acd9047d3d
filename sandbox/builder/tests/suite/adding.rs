//! `ADD` from the network: what is fetched, when, as what, and what is refused before anything is done.

use gradus_builder::{BuildError, Built, EPOCH_S, Network, StepError};
use gradus_image::{Digest, Owner};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::world::World;
use crate::yard::{With, Yard, chain};

const COMMIT: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

fn with(world: &World) -> With<'_> {
    With {
        network: Network::Egress(world),
        ..With::default()
    }
}

fn last_cached(built: &Built) -> bool {
    built.steps.last().unwrap().cached
}

/// Where a file of the last layer lies.
fn in_last_layer(yard: &Yard, built: &Built, path: &str) -> PathBuf {
    let image = yard.image(built);
    let layer = image.layers.last().unwrap();
    yard.store.layer_dir(&layer.diff_id).join(path)
}

#[test]
fn a_file_is_added_as_docker_adds_it_and_stands_in_the_record() {
    let Some(yard) = Yard::new() else { return };
    let world = World::default();
    // An archive that comes from elsewhere stays one.
    let archive = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    world.put("https://h/a/x.tar.gz?v=1", &archive, Some(86_400));
    world.put("https://h/new", b"new", Some(2_000_000_000));
    world.put("http://h/plain", b"plain", None);
    for (line, path, mode, owner, mtime) in [
        (
            "ADD https://h/a/x.tar.gz?v=1 /new/",
            "new/x.tar.gz",
            0o600,
            0,
            86_400,
        ),
        (
            "ADD https://h/a/x.tar.gz?v=1 /tmp",
            "tmp/x.tar.gz",
            0o600,
            0,
            86_400,
        ),
        ("ADD https://h/new /y", "y", 0o600, 0, EPOCH_S as i64),
        ("ADD http://h/plain /y", "y", 0o600, 0, EPOCH_S as i64),
        (
            "WORKDIR /w\nADD --chmod=755 --chown=app https://h/new .",
            "w/new",
            0o755,
            1000,
            EPOCH_S as i64,
        ),
    ] {
        let built = yard
            .build_with(&format!("FROM base\n{line}"), &with(&world))
            .unwrap_or_else(|error| panic!("{line}: {}", chain(&error)));
        let stat = fs::metadata(in_last_layer(&yard, &built, path)).unwrap();
        let found = (stat.mode() & 0o7777, stat.uid(), stat.mtime());
        assert_eq!(found, (mode, owner, mtime), "{line}");
    }
    let built = yard
        .build_with("FROM base\nADD https://h/new /y", &with(&world))
        .unwrap();
    let added = &built.added[0];
    assert_eq!((added.line, added.url.as_str()), (2, "https://h/new"));
    assert_eq!(added.content, Digest::of(b"new").to_string());
    assert_eq!(added.bytes, Some(3));
    yard.assert_clean();
}

#[test]
fn a_file_is_known_by_what_is_in_it_and_by_its_checksum_without_asking() {
    let Some(yard) = Yard::new() else { return };
    let world = World::default();
    let url = "https://h/x";
    world.put(url, b"one", None);
    let build = |text: &str| yard.build_with(text, &with(&world));
    let plain = "FROM base\nADD https://h/x /x";
    assert!(!last_cached(&build(plain).unwrap()));
    assert!(last_cached(&build(plain).unwrap()));
    assert_eq!(world.asked(), [url, url]);
    world.put(url, b"two", None);
    assert!(!last_cached(&build(plain).unwrap()));
    world.asked();

    let checked = format!(
        "FROM base\nADD --checksum={} https://h/x /x",
        Digest::of(b"two")
    );
    assert!(!last_cached(&build(&checked).unwrap()));
    assert_eq!(world.asked(), [url]);
    let again = build(&checked).unwrap();
    assert!(last_cached(&again));
    assert_eq!(world.asked(), Vec::<String>::new());
    assert_eq!(again.added[0].content, Digest::of(b"two").to_string());
    assert_eq!(again.added[0].bytes, None);

    let wrong = format!(
        "FROM base\nADD --checksum={} https://h/x /x",
        Digest::of(b"three")
    );
    let (error, text) = yard.fails_with(&wrong, &with(&world));
    assert_eq!(error.owner(), Owner::Submission);
    assert!(
        text.contains("line 2") && text.contains(&Digest::of(b"two").to_string()),
        "{text}"
    );
    // More than a step may write.
    world.put(url, &vec![0; 65 << 20], None);
    let (error, _) = yard.fails_with(plain, &with(&world));
    assert_eq!(error.owner(), Owner::Submission);
}

#[test]
fn a_commits_files_are_added_with_or_without_a_directory() {
    let Some(yard) = Yard::new() else { return };
    let world = World::default();
    world.put_commit(
        COMMIT,
        &[("README", "r"), ("src/m.py", "m"), ("src/p/n.py", "n")],
    );
    for (behind, to, made) in [
        (
            "",
            "/new",
            "new/ new/README new/src/ new/src/m.py new/src/p/ new/src/p/n.py",
        ),
        (":src", "/new/", "new/ new/m.py new/p/ new/p/n.py"),
        (":src/p/", "/tmp", "tmp/ tmp/n.py"),
    ] {
        let text = format!("FROM base\nADD https://h/o/x.git#{COMMIT}{behind} {to}");
        let built = yard.build_with(&text, &with(&world)).unwrap();
        assert_eq!(yard.last_layer(&built).join(" "), made, "{behind}");
        assert_eq!(world.asked(), [format!("https://h/o/x.git#{COMMIT}")]);
        assert_eq!(built.added[0].content, COMMIT);
        // Its id says what is in it.
        let again = yard.build_with(&text, &with(&world)).unwrap();
        assert!(last_cached(&again) && world.asked().is_empty());
        assert_eq!(again.image, built.image);
        let fresh = With {
            no_cache: true,
            ..with(&world)
        };
        assert_eq!(yard.build_with(&text, &fresh).unwrap().image, built.image);
        world.asked();
    }
    for directory in ["none", "README", "src/m.py"] {
        let text = format!("FROM base\nADD https://h/o/x.git#{COMMIT}:{directory} /new/");
        let (error, text) = yard.fails_with(&text, &with(&world));
        assert!(text.contains("has no directory"), "{text}");
        assert_eq!(error.owner(), Owner::Submission);
    }
}

/// Each of these stands behind a command that would run first.
#[test]
fn what_is_refused_is_refused_before_the_first_step() {
    let Some(yard) = Yard::new() else { return };
    let world = World::default();
    yard.write("a", "1");
    for (line, why) in [
        ("ADD https://no.example/x /x", "not on the list"),
        (
            "ADD https://no.example/x.git#ce013625030ba8dba906f756967f9e9ca394464a /x",
            "not on the list",
        ),
        ("ADD https://h/x.git#main /x", "commit in full"),
        ("ADD git@h:x /x", "not supported"),
        ("COPY none /x", "matches nothing"),
        ("COPY ../a /x", "within the context"),
        (
            "RUN --mount=type=bind,source=none,target=/x true",
            "matches nothing",
        ),
        ("RUN --mount=type=bind,rw,target=/x true", "written to"),
        ("RUN --mount=type=secret,id=a,required true", "is required"),
        ("RUN --mount=type=secret,id=a,env=A true", "as a variable"),
        ("RUN --mount=type=tmpfs,target=/proc/x true", "below /proc"),
        ("ENV $x=1", "a variable's name"),
        ("FROM nowhere:1", "nowhere:1"),
    ] {
        let text = format!(
            "FROM base\nRUN echo it runs\nFROM base\nCOPY --from=0 /etc/passwd /y\n{line}\n"
        );
        let (error, text) = yard.fails_with(&text, &with(&world));
        assert!(
            text.contains("line 5") && text.contains(why),
            "{line}: {text}"
        );
        assert_eq!(*yard.said.borrow(), "", "{line}");
        assert!(world.asked().is_empty(), "{line}");
        let is_host = matches!(&error, BuildError::NoBase { .. })
            || matches!(&error, BuildError::Step { source, .. } if matches!(**source, StepError::NoSecret { .. }));
        let owner = if is_host {
            Owner::Host
        } else {
            Owner::Submission
        };
        assert_eq!(error.owner(), owner, "{line}");
    }
    // Without a network none is reached, and that is known before, too.
    let (error, text) = yard.fails("FROM base\nRUN echo it runs\nADD https://h/x /x");
    assert!(
        text.contains("line 3") && text.contains("no host"),
        "{text}"
    );
    assert_eq!(error.owner(), Owner::Submission);
    assert_eq!(*yard.said.borrow(), "");
}
