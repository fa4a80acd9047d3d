//! Trees with names and entries that no honest commit has.

use super::super::pack::{Maker, serving};
use super::{SOME_COMMIT, of_tree, refused};
use gradus_fetch::Owner;
use gradus_fetch::git::FetchError;

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
