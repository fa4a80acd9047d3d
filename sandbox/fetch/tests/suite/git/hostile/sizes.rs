//! Commits that come to more than they may.

use super::{of_tree, refused, refused_with};
use gradus_fetch::git::{FetchError, FetchOptions, PackError};

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
