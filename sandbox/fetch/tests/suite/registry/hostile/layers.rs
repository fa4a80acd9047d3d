//! Layers that unpack to too much, or to another tree.

use super::super::{Place, options};
use super::{refused, refused_with};
use gradus_fetch::registry::{PullError, PullOptions};
use gradus_image::layer::ApplyLayerError;
use gradus_image::store::PutLayerError;
use gradus_servers::registry::{Image, archive, gzip, noise};
use gradus_servers::server::Server;

/// The blob is what the manifest says; the configuration speaks of another archive.
fn with_another_blob(mut image: Image) -> Image {
    let other = gzip(&archive("file0", b"other"));
    let size = other.len();
    let old = image.layers[0].clone();
    let new = image.add(other);
    let old_size = image.blobs[&old].len();
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    let text = text.replace(
        &format!("\"{old}\",\"size\":{old_size}"),
        &format!("\"{new}\",\"size\":{size}"),
    );
    image.manifest = text.into_bytes();
    image
}

#[test]
fn a_blob_of_another_tree_than_the_one_that_is_there_is_refused() {
    let first = Image::new(&[b"one"]);
    let second = with_another_blob(first.clone());
    let server = Server::start(move |request, peer| {
        let is_first = request.path.contains("/first/");
        if is_first { &first } else { &second }.serve(request, peer)
    });
    let place = Place::new();
    let name = |name: &str| format!("{}/{name}", server.address());
    place.pull(options(&server), &name("first")).unwrap();
    let error = place.pull(options(&server), &name("second")).unwrap_err();
    assert!(matches!(error, PullError::Verify { .. }), "{error:?}");
    assert_eq!(place.store.images().unwrap().len(), 1);
    place.has_no_halves();
}

#[test]
fn a_layer_that_unpacks_to_something_else_is_refused() {
    let image = with_another_blob(Image::new(&[b"one"]));
    let error = refused(move |request, peer| image.serve(request, peer));
    let PullError::Layer(PutLayerError::Apply { source, .. }) = &error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(source, ApplyLayerError::DiffId { .. }),
        "{source:?}"
    );
}

#[test]
fn a_bomb_is_refused() {
    let bomb = Image::of_archives(&[archive("zeros", &vec![0; 64 << 20])]);
    let error = refused(move |request, peer| bomb.serve(request, peer));
    let PullError::Layer(PutLayerError::Apply { source, .. }) = &error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(source, ApplyLayerError::Ratio { .. }),
        "{source:?}"
    );
}

#[test]
fn layers_are_bounded_alone_and_together_before_and_after_they_are_unpacked() {
    let image = Image::new(&[&noise(100_000, 1), &noise(100_000, 2), &noise(100_000, 3)]);
    let with = |change: fn(&mut PullOptions)| {
        let image = image.clone();
        refused_with(
            move |request, peer| image.serve(request, peer),
            |mut options| {
                change(&mut options);
                options
            },
        )
    };
    let error = with(|options| options.caps.compressed_bytes = 50_000);
    assert!(matches!(error, PullError::TooLarge { .. }), "{error:?}");
    let error = with(|options| options.compressed_bytes = 250_000);
    assert!(matches!(error, PullError::TooLarge { .. }), "{error:?}");
    for change in [
        (|options: &mut PullOptions| options.unpacked_bytes = 250_000) as fn(&mut PullOptions),
        |options| options.caps.unpacked_bytes = 50_000,
    ] {
        let error = with(change);
        let PullError::Layer(PutLayerError::Apply { source, .. }) = &error else {
            panic!("{error:?}")
        };
        assert!(
            matches!(source, ApplyLayerError::TooLarge { .. }),
            "{source:?}"
        );
    }
}
