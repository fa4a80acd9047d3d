//! Downloads that break.

use super::{Place, options};
use gradus_fetch::registry::{PullEvent, Puller};
use gradus_image::store::Store;
use gradus_servers::registry::{Image, begin_of, noise};
use gradus_servers::server::Server;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let image = Image::new(&[&noise(300_000, 1)]);
    let expected = image.clone();
    let server = Server::start(move |request, peer| {
        let breaks = image.is_layer(request) && begin_of(request).unwrap_or(0) < 200_000;
        if !breaks {
            return image.serve(request, peer);
        }
        let blob = &image.blobs[&image.layers[0]];
        let begin = begin_of(request).unwrap_or(0);
        let length = (blob.len() - begin).to_string();
        let range = format!("bytes {begin}-{}/{}", blob.len() - 1, blob.len());
        let status = if begin == 0 { 200 } else { 206 };
        peer.head(
            status,
            &[("content-length", &length), ("content-range", &range)],
        );
        peer.raw(&blob[begin..begin + 100_000]);
    });
    let place = Place::new();
    let pulled = place
        .pull(options(&server), &format!("{}/x", server.address()))
        .unwrap();
    let asked: Vec<usize> = server
        .requests()
        .iter()
        .filter(|request| expected.is_layer(request))
        .map(|request| begin_of(request).unwrap_or(0))
        .collect();
    assert_eq!(asked, [0, 100_000, 200_000]);
    let dir = place.store.layer_dirs(&pulled.image).unwrap().remove(0);
    assert_eq!(std::fs::read(dir.join("file0")).unwrap(), noise(300_000, 1));
    place.has_no_halves();
}

#[test]
fn a_server_that_cannot_go_on_is_asked_for_all_of_it() {
    let image = Image::new(&[&noise(300_000, 1)]);
    let broken = Mutex::new(false);
    let server = Server::start(move |request, peer| {
        if !image.is_layer(request) {
            return image.serve(request, peer);
        }
        let blob = &image.blobs[&image.layers[0]];
        peer.head(200, &[("content-length", &blob.len().to_string())]);
        let first = !std::mem::replace(&mut *broken.lock().unwrap(), true);
        peer.raw(if first { &blob[..77_777] } else { blob });
    });
    let place = Place::new();
    let pulled = place
        .pull(options(&server), &format!("{}/x", server.address()))
        .unwrap();
    let dir = place.store.layer_dirs(&pulled.image).unwrap().remove(0);
    assert_eq!(std::fs::read(dir.join("file0")).unwrap(), noise(300_000, 1));
}

#[test]
fn a_part_that_is_another_part_is_refused() {
    let image = Image::new(&[&noise(300_000, 1)]);
    let server = Server::start(move |request, peer| match begin_of(request) {
        Some(begin) if image.is_layer(request) => {
            let blob = &image.blobs[&image.layers[0]];
            peer.answer(206, &[("content-range", "bytes 0-1/2")], &blob[begin..]);
        }
        None if image.is_layer(request) => {
            let blob = &image.blobs[&image.layers[0]];
            peer.head(200, &[("content-length", &blob.len().to_string())]);
            peer.raw(&blob[..1000]);
        }
        _ => image.serve(request, peer),
    });
    let place = Place::new();
    let error = place
        .pull(options(&server), &format!("{}/x", server.address()))
        .expect_err("it is refused");
    assert!(
        matches!(error, gradus_fetch::registry::PullError::Range { .. }),
        "{error:?}"
    );
    place.is_empty();
}

#[test]
fn a_busy_registry_is_asked_again_and_progress_is_told() {
    let image = Image::new(&[&noise(300_000, 1)]);
    let busy = Mutex::new(1);
    let server = Server::start(move |request, peer| {
        let mut left = busy.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            return peer.answer(429, &[("retry-after", "0")], b"");
        }
        image.serve(request, peer)
    });
    let place = Place::new();
    let pin = place.store.pin().unwrap();
    let events = Mutex::new(Vec::new());
    let reference = format!("{}/x", server.address()).parse().unwrap();
    gradus_fetch::registry::Puller::new(options(&server))
        .pull(&place.store, &pin, &reference, &|event| {
            events.lock().unwrap().push(event)
        })
        .unwrap();
    let events = events.into_inner().unwrap();
    assert!(
        matches!(events[0], PullEvent::Resolved { layers: 1, .. }),
        "{events:?}"
    );
    assert!(
        events
            .iter()
            .any(|e| matches!(e, PullEvent::Layer { done, total, .. } if done == total))
    );
    assert!(matches!(
        events.last(),
        Some(PullEvent::Applied { had: false, .. })
    ));
}

/// A pull that failed in the middle is gone on with by another one, over another store of the same directory, as another process has it.
#[test]
fn another_pull_goes_on_where_one_has_failed() {
    let image = Image::new(&[&noise(3_000_000, 1), b"two"]);
    let expected = image.clone();
    let is_cut = AtomicBool::new(true);
    let server = Server::start(move |request, peer| {
        let blob = &image.blobs[&image.layers[0]];
        let begin = begin_of(request).unwrap_or(0);
        let is_first = request.path.ends_with(image.layers[0].as_str());
        if is_first && begin >= 1_000_000 && is_cut.swap(false, Ordering::Relaxed) {
            // Not what ends a connection, but what ends a pull.
            return peer.answer(410, &[], b"gone");
        }
        if !is_first || begin > 0 {
            return image.serve(request, peer);
        }
        peer.head(200, &[("content-length", &blob.len().to_string())]);
        peer.raw(&blob[..1_000_000]);
    });
    let place = Place::new();
    let name = format!("{}/x", server.address());
    place
        .pull(options(&server), &name)
        .expect_err("it is cut off");
    let store = Store::open_unflushed(place.store.root()).unwrap();
    let pin = store.pin().unwrap();
    let reference = name.parse().unwrap();
    let events = Mutex::new(Vec::new());
    let pulled = Puller::new(options(&server))
        .pull(&store, &pin, &reference, &|event| {
            events.lock().unwrap().push(event)
        })
        .unwrap();
    let asked: Vec<usize> = server
        .requests()
        .iter()
        .filter(|request| request.path.ends_with(expected.layers[0].as_str()))
        .map(|request| begin_of(request).unwrap_or(0))
        .collect();
    assert_eq!(asked, [0, 1_000_000, 1_000_000]);
    let whole = expected.blobs[&expected.layers[0]].len() as u64;
    let small = expected.blobs[&expected.layers[1]].len() as u64;
    let had_small = pulled.fetched_bytes == whole - 1_000_000;
    assert!(
        had_small || pulled.fetched_bytes == whole - 1_000_000 + small,
        "{}",
        pulled.fetched_bytes
    );
    // What was there counts as done.
    let done = |event: &PullEvent| matches!(event, PullEvent::Layer { done, total, .. } if *total == whole && *done < 1_000_000);
    assert!(!events.into_inner().unwrap().iter().any(done));
    let dir = store.layer_dirs(&pulled.image).unwrap().pop().unwrap();
    assert_eq!(
        std::fs::read(dir.join("file0")).unwrap(),
        noise(3_000_000, 1)
    );
    assert_eq!(
        std::fs::read_dir(store.root().join("partial"))
            .unwrap()
            .count(),
        0
    );
}
