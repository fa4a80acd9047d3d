//! Dockerfiles, contexts and commands that are there to do harm; and hosts that have no room.

use gradus_builder::{BuildError, BuildLimits};
use gradus_image::Owner;
use gradus_image::context;
use std::fs;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use crate::yard::{With, Yard};

#[test]
fn dockerfiles_that_are_none_are_the_submissions_fault() {
    let Some(yard) = Yard::new() else { return };
    let huge = format!("FROM base\n# {}", "x".repeat(10 << 20));
    for (text, word) in [
        ("", "no stage"),
        ("\n# nothing\n", "no stage"),
        ("RUN true", "line 1"),
        (huge.as_str(), "bytes long"),
        ("FROM base\n\u{0}\u{1}\u{2}", "line 2"),
        (
            "FROM a AS b\nCOPY --from=c /x /\nFROM b AS c\nCOPY --from=b /y /",
            "circle",
        ),
        ("FROM base\nFETCH x", "FETCH"),
        ("FROM base\nONBUILD RUN true", "ONBUILD"),
        ("FROM base\nRUN --privileged true", "--privileged"),
    ] {
        let (error, text) = yard.fails(text);
        assert_eq!(error.owner(), Owner::Submission, "{text}");
        assert!(text.contains(word), "{text}");
    }
    let (error, text) = yard.fails("FROM other:1");
    assert_eq!(error.owner(), Owner::Host, "{text}");
    assert!(text.contains("other:1 is not in the store"), "{text}");
}

#[test]
fn contexts_with_sockets_and_loops_are_refused_where_they_are_copied() {
    let Some(yard) = Yard::new() else { return };
    yard.write("a", "");
    let _socket = UnixListener::bind(yard.context().join("socket")).unwrap();
    std::os::unix::fs::symlink(".", yard.context().join("loop")).unwrap();
    let (error, text) = yard.fails("FROM base\nCOPY . /n");
    assert!(text.contains("\"socket\" is a socket"), "{text}");
    assert_eq!(error.owner(), Owner::Submission);
    yard.write(".dockerignore", "socket");
    let built = yard.build("FROM base\nCOPY . /n");
    assert_eq!(
        yard.last_layer(&built),
        ["n/", "n/.dockerignore", "n/a", "n/loop"]
    );
    // A file that is longer than it is: its holes count.
    let sparse = fs::File::create(yard.context().join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let (error, text) = yard.fails("FROM base\nCOPY sparse /n");
    assert_eq!(error.owner(), Owner::Submission, "{text}");
}

#[test]
fn a_build_that_computes_or_hoards_ends_at_its_limits() {
    let Some(yard) = Yard::new() else { return };
    // Its time is that of all steps together.
    let limits = BuildLimits {
        time: Some(Duration::from_secs(2)),
        ..With::default().limits
    };
    let with = With {
        limits,
        ..With::default()
    };
    let begun = std::time::Instant::now();
    let numbered: String = (0..5)
        .map(|number| format!("RUN sleep 1 && : {number}\n"))
        .collect();
    let numbered = format!("FROM base\n{numbered}");
    let (error, text) = yard.fails_with(&numbered, &with);
    assert_eq!(error.owner(), Owner::Submission, "{text}");
    assert!(begun.elapsed() < Duration::from_secs(8));

    let sized = |image_bytes, context_bytes, disk_inodes| With {
        limits: BuildLimits {
            image_bytes,
            disk_inodes,
            context: context::Limits {
                bytes: context_bytes,
                ..context::Limits::default()
            },
            ..With::default().limits
        },
        ..With::default()
    };
    let fill = "FROM base\nRUN dd if=/dev/urandom of=/f bs=1M count=6";
    let (error, text) = yard.fails_with(fill, &sized(6 << 20, 1 << 30, 4096));
    assert!(matches!(error, BuildError::ImageSize { .. }), "{text}");
    yard.write("big", &"x".repeat(2 << 20));
    let (_, text) = yard.fails_with("FROM base\nCOPY big /", &sized(1 << 30, 1 << 20, 4096));
    assert!(text.contains("more than 1048576 bytes"), "{text}");
    // Files without content, as many as there may be.
    let (error, text) = yard.fails_with(
        "FROM base\nRUN i=0; while [ $i -lt 3000 ]; do mkdir d$i || exit 1; i=$((i+1)); done",
        &sized(1 << 30, 1 << 30, 512),
    );
    assert_eq!(error.owner(), Owner::Submission, "{text}");
    let deep =
        "FROM base\nRUN i=0; while [ $i -lt 400 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done";
    let (error, text) = yard.fails(deep);
    assert_eq!(error.owner(), Owner::Submission, "{text}");
    let (error, text) = yard.fails("FROM base\nRUN truncate -s 1T /f");
    assert_eq!(error.owner(), Owner::Submission, "{text}");
}

#[test]
fn large_files_are_reported_with_the_line_that_brought_them() {
    let Some(yard) = Yard::new() else { return };
    fs::create_dir_all(yard.context()).unwrap();
    // What a model's parameters look like, and what nothing looks like.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    let noise: Vec<u8> = noise.take(3 << 20).collect();
    fs::write(yard.context().join("model.bin"), noise).unwrap();
    let with = With {
        limits: BuildLimits {
            large_bytes: 2 << 20,
            ..With::default().limits
        },
        ..With::default()
    };
    let text =
        "FROM base\nCOPY model.bin /m/\nRUN dd if=/dev/zero of=/z bs=1M count=4 && echo small > /s";
    for _ in 0..2 {
        let built = yard.build_with(text, &with).unwrap();
        let large: Vec<_> = built
            .large
            .iter()
            .map(|large| (large.line, large.path.as_str(), large.bytes))
            .collect();
        assert_eq!(large, [(3, "/z", 4 << 20), (2, "/m/model.bin", 3 << 20)]);
        assert_eq!(built.large[0].entropy_millibits, 0);
        assert!(built.large[1].entropy_millibits > 7990, "{:?}", built.large);
    }
}

#[test]
fn names_that_mean_something_in_layers_are_refused() {
    let Some(yard) = Yard::new() else { return };
    let (error, text) = yard.fails("FROM base\nRUN touch /.wh.etc");
    assert_eq!(error.owner(), Owner::Submission, "{text}");
    assert!(text.contains(".wh."), "{text}");
    yard.write(".wh.etc", "");
    let (error, _) = yard.fails("FROM base\nCOPY .wh.etc /");
    assert_eq!(error.owner(), Owner::Submission);
    // Attributes that steer overlays are not the image's to set, and no layer keeps them.
    yard.build("FROM base\nRUN mkdir /d && touch /d/a");
    // System directories that are none.
    for line in ["RUN true", "RUN --mount=type=tmpfs,target=/x/y true"] {
        let (error, text) = yard.fails(&format!(
            "FROM scratch\nCOPY --from=base /bin /bin\nCOPY <<A /proc\nA\n{line}"
        ));
        assert_eq!(error.owner(), Owner::Submission, "{text}");
    }
}
