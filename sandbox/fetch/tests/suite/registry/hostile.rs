//! A registry that stalls, truncates, lies and lures: each is a typed error in bounded time, and nothing of it is in the store.

mod blobs;
mod documents;
mod layers;
mod servers;

use super::{Place, options};
use gradus_fetch::registry::{PullError, PullOptions};
use gradus_servers::registry::{Image, noise};
use gradus_servers::server::{Peer, Request, Server};
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
