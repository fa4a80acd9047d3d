//! A registry that stalls, truncates, lies and lures: each is a typed error in bounded time, and nothing of it is in the store.

use super::image::{INDEX, Image, MANIFEST, archive, gzip, noise};
use super::{Place, limits, options};
use crate::server::{Peer, Request, Server};
use gradus_fetch::Owner;
use gradus_fetch::net::{NetError, Reach};
use gradus_fetch::registry::{PullError, PullOptions};
use gradus_image::layer::ApplyLayerError;
use gradus_image::store::{PutBlobError, PutLayerError};
use std::time::{Duration, Instant};

fn image() -> Image {
    Image::new(&[&noise(100_000, 1), b"two"])
}

/// Pulls from a registry of this behaviour; the store stays empty, and it does not take long.
#[track_caller]
fn refused(serve: impl Fn(&Request, &mut Peer) + Send + Sync + 'static) -> PullError {
    refused_with(serve, |options| options)
}

#[track_caller]
fn refused_with(
    serve: impl Fn(&Request, &mut Peer) + Send + Sync + 'static,
    change: impl FnOnce(PullOptions) -> PullOptions,
) -> PullError {
    let server = Server::start(serve);
    let place = Place::new();
    let begun = Instant::now();
    let error = place
        .pull(change(options(&server)), &format!("{}/x", server.address()))
        .expect_err("it is refused");
    assert!(begun.elapsed() < Duration::from_secs(15), "{error:?}");
    // A sound layer may have been faster than the wrong one; a wrong or half one is never there.
    place.has_no_halves();
    assert!(place.store.images().unwrap().is_empty());
    error
}

/// As [`refused`], for an image of which no layer is sound.
#[track_caller]
fn refused_without_a_trace(
    serve: impl Fn(&Request, &mut Peer) + Send + Sync + 'static,
) -> PullError {
    let server = Server::start(serve);
    let place = Place::new();
    let error = place
        .pull(options(&server), &format!("{}/x", server.address()))
        .expect_err("it is refused");
    place.is_empty();
    error
}

#[test]
fn no_answer_at_all_is_a_stall() {
    let error = refused_without_a_trace(|_, peer| peer.stall());
    assert!(
        matches!(error, PullError::Net(NetError::Stalled { .. })),
        "{error:?}"
    );
    assert_eq!(error.owner(), Owner::Host);
}

#[test]
fn a_blob_that_stops_coming_is_a_stall() {
    let image = Image::new(&[&noise(100_000, 1)]);
    let error = refused_without_a_trace(move |request, peer| match image.is_layer(request) {
        false => image.serve(request, peer),
        true => {
            let length = image.blobs[&image.layers[0]].len().to_string();
            peer.head(200, &[("content-length", &length)]);
            peer.stall();
        }
    });
    assert!(
        matches!(error, PullError::Net(NetError::Stalled { .. })),
        "{error:?}"
    );
}

#[test]
fn a_byte_now_and_then_is_a_stall() {
    let image = Image::new(&[&noise(100_000, 1)]);
    let error = refused_without_a_trace(move |request, peer| match image.is_layer(request) {
        false => image.serve(request, peer),
        true => {
            peer.head(200, &[]);
            peer.trickle(Duration::from_millis(20));
        }
    });
    assert!(
        matches!(error, PullError::Net(NetError::Stalled { bytes: 1.., .. })),
        "{error:?}"
    );
}

#[test]
fn headers_that_never_end_are_refused() {
    let error = refused_without_a_trace(|_, peer| {
        peer.raw(b"HTTP/1.1 200 x\r\n");
        while peer.raw(format!("x-{}: {}\r\n", 1, "y".repeat(1000)).as_bytes()) {}
    });
    assert!(
        matches!(error, PullError::Net(NetError::Network { .. })),
        "{error:?}"
    );
}

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
fn a_blob_that_is_always_cut_off_is_given_up() {
    let image = Image::new(&[&noise(100_000, 1)]);
    let error = refused_without_a_trace(move |request, peer| match image.is_layer(request) {
        false => image.serve(request, peer),
        true => peer.head(
            200,
            &[(
                "content-length",
                &image.blobs[&image.layers[0]].len().to_string(),
            )],
        ),
    });
    assert!(
        matches!(error, PullError::Net(NetError::Network { .. })),
        "{error:?}"
    );
}

#[test]
fn a_blob_of_other_bytes_is_refused() {
    let image = Image::new(&[&noise(100_000, 1)]);
    let error = refused_without_a_trace(move |request, peer| match image.is_layer(request) {
        false => image.serve(request, peer),
        true => {
            let mut blob = image.blobs[&image.layers[0]].clone();
            blob[50_000] ^= 1;
            peer.answer(200, &[], &blob);
        }
    });
    let PullError::Blob { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(matches!(source, PutBlobError::Digest { .. }), "{source:?}");
    assert_eq!(error.owner(), Owner::Submission);
}

#[test]
fn a_longer_or_shorter_blob_is_refused_before_or_while_it_comes() {
    for (change, announced) in [(1i64, true), (-1, true), (1, false), (-1, false)] {
        let image = Image::new(&[&noise(100_000, 1)]);
        let error = refused_without_a_trace(move |request, peer| match image.is_layer(request) {
            false => image.serve(request, peer),
            true => {
                let mut blob = image.blobs[&image.layers[0]].clone();
                blob.resize((blob.len() as i64 + change) as usize, 0);
                match announced {
                    true => peer.answer(200, &[], &blob),
                    false => {
                        peer.head(200, &[]);
                        peer.raw(&blob);
                    }
                }
            }
        });
        let is_right = match (announced, change) {
            (true, _) => matches!(error, PullError::Range { .. }),
            (false, 1) => matches!(
                &error,
                PullError::Blob {
                    source: PutBlobError::Size { .. },
                    ..
                }
            ),
            // It is asked for the last byte, which is not there.
            (false, _) => matches!(error, PullError::Net(_) | PullError::Range { .. }),
        };
        assert!(is_right, "{change} {announced}: {error:?}");
    }
}

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
    let _ = MANIFEST;
}

#[test]
fn redirects_in_a_circle_end() {
    let error = refused_without_a_trace(|request, peer| {
        peer.answer(307, &[("location", &request.path)], b"")
    });
    assert!(
        matches!(error, PullError::Net(NetError::Redirects { .. })),
        "{error:?}"
    );
}

#[test]
fn a_redirect_to_a_private_address_or_another_scheme_is_not_followed() {
    let inner = Server::start(|_, peer| peer.answer(200, &[], b"secret"));
    let inner_address = inner.address().to_owned();
    for to in [
        format!("http://{inner_address}/v2/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://user:pw@127.0.0.1/".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "//127.0.0.1:1/".to_owned(),
        "nonsense".to_owned(),
    ] {
        let shown = to.clone();
        let error =
            refused_without_a_trace(move |_, peer| peer.answer(302, &[("location", &to)], b""));
        assert!(
            matches!(
                error,
                PullError::Net(
                    NetError::Plain { .. } | NetError::Redirect { .. } | NetError::Url { .. }
                )
            ),
            "{shown}: {error:?}"
        );
    }
    // With encryption it is the address that counts.
    let error = refused_without_a_trace(|_, peer| {
        peer.answer(302, &[("location", "https://127.0.0.1:9/")], b"")
    });
    assert!(
        matches!(error, PullError::Net(NetError::Private { .. })),
        "{error:?}"
    );
    assert!(inner.requests().is_empty());
}

#[test]
fn a_name_that_leads_to_this_machine_has_to_be_trusted() {
    let server = Server::start(|_, peer| peer.answer(200, &[], b"{}"));
    let place = Place::new();
    let options = PullOptions {
        limits: limits(),
        reach: Reach::public(),
        ..PullOptions::default()
    };
    let error = place
        .pull(options, &format!("{}/x", server.address()))
        .expect_err("it is refused");
    assert!(
        matches!(error, PullError::Net(NetError::Private { .. })),
        "{error:?}"
    );
    assert_eq!(error.owner(), Owner::Submission);
    assert!(server.requests().is_empty());
}

#[test]
fn a_registry_that_is_down_for_good_or_lost_the_image_is_said_to_be() {
    let error = refused_without_a_trace(|_, peer| peer.answer(503, &[], b"busy"));
    assert!(
        matches!(error, PullError::Net(NetError::Status { status: 503, .. })),
        "{error:?}"
    );
    assert_eq!(error.owner(), Owner::Host);
    let error = refused_without_a_trace(|_, peer| peer.answer(404, &[], b"{}"));
    assert!(matches!(error, PullError::NotFound { .. }), "{error:?}");
    assert_eq!(error.owner(), Owner::Submission);
    let error = refused_without_a_trace(|_, peer| {
        peer.raw(b"SSH-2.0-OpenSSH\r\n");
    });
    assert!(
        matches!(error, PullError::Net(NetError::Network { .. })),
        "{error:?}"
    );
}

#[test]
fn all_of_it_ends_when_time_is_over() {
    let image = Image::new(&[&noise(1 << 20, 1)]);
    let error = refused_with(
        move |request, peer| match image.is_layer(request) {
            false => image.serve(request, peer),
            true => {
                let blob = &image.blobs[&image.layers[0]];
                peer.head(200, &[("content-length", &blob.len().to_string())]);
                // Fast enough to be no stall, too slow to end in time.
                for part in blob.chunks(1000) {
                    if !peer.raw(part) {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        },
        |mut options| {
            options.limits.total = Duration::from_millis(1500);
            options
        },
    );
    assert!(
        matches!(error, PullError::Net(NetError::Total { .. })),
        "{error:?}"
    );
}
