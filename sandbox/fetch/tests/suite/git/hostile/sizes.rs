//! Commits that come to more than they may.

use super::super::{Place, options};
use super::{of_tree, refused, refused_with};
use gradus_fetch::Owner;
use gradus_fetch::git::{FetchError, FetchOptions, ObjectId, PackError};

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
    let noise = gradus_servers::registry::noise(3 << 20, 7);
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
