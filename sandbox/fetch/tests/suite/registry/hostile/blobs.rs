//! Blobs that stall, end early, or are other bytes.

use super::{refused_with, refused_without_a_trace};
use gradus_fetch::Owner;
use gradus_fetch::net::NetError;
use gradus_fetch::registry::PullError;
use gradus_image::store::PutBlobError;
use gradus_servers::registry::{Image, noise};
use std::time::Duration;

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
