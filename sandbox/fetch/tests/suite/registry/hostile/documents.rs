//! Manifests, indexes and configurations that are none, or of something else.

use super::super::{Place, options};
use super::{image, refused_without_a_trace};
use gradus_fetch::net::NetError;
use gradus_fetch::registry::PullError;
use gradus_image::layout::model::DOCUMENT_BYTES_MAX;
use gradus_servers::registry::{INDEX, Image};
use gradus_servers::server::Server;

#[test]
fn a_manifest_that_never_ends_is_refused() {
    let error = refused_without_a_trace(|_, peer| {
        peer.head(200, &[]);
        peer.raw(b"{\"x\":\"");
        while peer.raw(&[b'a'; 65536]) {}
    });
    assert!(
        matches!(error, PullError::Net(NetError::TooLong { .. })),
        "{error:?}"
    );
}

#[test]
fn a_manifest_of_another_digest_is_refused() {
    let image = image();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let server = Server::start(move |_, peer| peer.answer(200, &[], &image.manifest));
    let place = Place::new();
    let name = format!("{}/x@{wrong}", server.address());
    let error = place
        .pull(options(&server), &name)
        .expect_err("it is refused");
    assert!(
        matches!(error, PullError::DocumentDigest { .. }),
        "{error:?}"
    );
    place.is_empty();

    let error = refused_without_a_trace(move |_, peer| {
        peer.answer(200, &[("docker-content-digest", &wrong)], b"{}")
    });
    assert!(
        matches!(error, PullError::DocumentDigest { .. }),
        "{error:?}"
    );
}

#[test]
fn a_configuration_of_another_digest_size_or_platform_is_refused() {
    let image = image();
    let error =
        refused_without_a_trace(
            move |request, peer| match request.path.contains("/blobs/") {
                false => image.serve(request, peer),
                true => {
                    let asked = request.path.rsplit('/').next().unwrap();
                    let mut blob = image.blobs[asked].clone();
                    blob[0] ^= 1;
                    peer.answer(200, &[], &blob);
                }
            },
        );
    assert!(
        matches!(error, PullError::DocumentDigest { .. }),
        "{error:?}"
    );

    let mut image = Image::new(&[b"one"]);
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    let old = text.split("\"digest\":\"").nth(1).unwrap()[..71].to_owned();
    let config = String::from_utf8(image.blobs[&old].clone()).unwrap();
    let new = image.add(config.replace("amd64", "arm64").into_bytes());
    image.manifest = text.replace(&old, &new).into_bytes();
    let error = refused_without_a_trace(move |request, peer| image.serve(request, peer));
    assert!(matches!(error, PullError::NoPlatform { .. }), "{error:?}");
}

#[test]
fn documents_that_are_no_images_are_refused_by_what_they_are() {
    for (document, check) in [
        (
            "",
            (|e| matches!(e, PullError::Document { .. })) as fn(&PullError) -> bool,
        ),
        ("[]", |e| matches!(e, PullError::Document { .. })),
        ("{}", |e| matches!(e, PullError::Kind { .. })),
        (
            r#"{"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws","fsLayers":[]}"#,
            |e| matches!(e, PullError::Kind { .. }),
        ),
        (r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, |e| {
            matches!(e, PullError::Kind { .. })
        }),
        (r#"{"schemaVersion":2,"manifests":[]}"#, |e| {
            matches!(e, PullError::NoPlatform { .. })
        }),
    ] {
        let error =
            refused_without_a_trace(move |_, peer| peer.answer(200, &[], document.as_bytes()));
        assert!(check(&error), "{document}: {error:?}");
    }
}

#[test]
fn an_index_of_itself_ends() {
    // An index cannot hold its own digest; a registry that answers another one each time would go on for ever.
    let mut image = image();
    let mut inner = image.manifest.clone();
    for _ in 0..6 {
        let size = inner.len();
        let digest = image.add(inner);
        inner = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{{"mediaType":"{INDEX}","digest":"{digest}","size":{size}}}]}}"#
        )
        .into_bytes();
    }
    image.manifest = inner;
    let error = refused_without_a_trace(move |request, peer| image.serve(request, peer));
    assert!(matches!(error, PullError::Kind { .. }), "{error:?}");
}

#[test]
fn unknown_layers_and_counts_are_refused_before_anything_is_fetched() {
    let mut image = image();
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    image.manifest = text.replace("tar+gzip", "tar+lzma").into_bytes();
    let error = refused_without_a_trace(move |request, peer| {
        assert!(!image.is_layer(request));
        image.serve(request, peer);
    });
    assert!(matches!(error, PullError::LayerType { .. }), "{error:?}");
    let mut image = Image::new(&[b"one"]);
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    let layers = text.find("\"layers\":[").unwrap();
    image.manifest = format!("{}\"layers\":[]}}", &text[..layers]).into_bytes();
    let error = refused_without_a_trace(move |request, peer| image.serve(request, peer));
    assert!(matches!(error, PullError::Layers { .. }), "{error:?}");
}

/// Whatever is in it: it would be held in memory.
#[test]
fn a_manifest_that_is_too_long_is_refused_whether_it_says_so_or_not() {
    let mut image = image();
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    let padding = format!(
        "{{\"annotations\":{{\"a\":\"{}\"}},",
        "x".repeat(DOCUMENT_BYTES_MAX as usize)
    );
    image.manifest = text.replacen('{', &padding, 1).into_bytes();
    for announced in [true, false] {
        let image = image.clone();
        let error = refused_without_a_trace(move |request, peer| {
            if announced || !request.path.contains("/manifests/") {
                return image.serve(request, peer);
            }
            peer.head(200, &[]);
            peer.raw(&image.manifest);
        });
        assert!(
            matches!(error, PullError::Net(NetError::TooLong { .. })),
            "{error:?}"
        );
    }
}
