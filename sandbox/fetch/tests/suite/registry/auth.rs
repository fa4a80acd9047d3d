//! Who is asked for a proof, and who gets to see it.

use super::{Place, options};
use gradus_fetch::net::Secret;
use gradus_fetch::registry::{Credentials, PullError, PullOptions};
use gradus_servers::registry::Image;
use gradus_servers::server::{Request, Server};
use std::sync::{Arc, Mutex};

// `me:hunter2`, by coreutils' base64.
const BASIC: &str = "Basic bWU6aHVudGVyMg==";

fn with_login(server: &Server) -> PullOptions {
    PullOptions {
        credentials: Credentials::none().with(server.address(), "me", Secret::new("hunter2")),
        ..options(server)
    }
}

fn proofs(server: &Server) -> Vec<Option<String>> {
    let requests = server.requests();
    requests
        .iter()
        .map(|request| request.header("authorization").map(str::to_owned))
        .collect()
}

#[test]
fn a_login_is_given_to_its_registry_alone_and_only_when_it_asks() {
    let image = Image::new(&[b"one"]);
    let serve = image.clone();
    let server = Server::start(move |request, peer| match request.header("authorization") {
        Some(BASIC) => serve.serve(request, peer),
        _ => peer.answer(401, &[("www-authenticate", "Basic realm=\"r\"")], b""),
    });
    let place = Place::new();
    place
        .pull(with_login(&server), &format!("{}/x", server.address()))
        .unwrap();
    assert_eq!(proofs(&server)[..2], [None, Some(BASIC.to_owned())]);

    let other = Server::start(move |request, peer| image.serve(request, peer));
    let options = PullOptions {
        credentials: with_login(&server).credentials,
        ..options(&other)
    };
    Place::new()
        .pull(options, &format!("{}/x", other.address()))
        .unwrap();
    assert!(proofs(&other).iter().all(Option::is_none));
}

#[test]
fn a_token_is_fetched_with_the_login_used_and_renewed() {
    let image = Image::new(&[b"one", b"two"]);
    let realm = Arc::new(Mutex::new(String::new()));
    let (its_realm, count) = (realm.clone(), Mutex::new(0));
    let server = Server::start(move |request, peer| {
        let mut count = count.lock().unwrap();
        if request.path.starts_with("/token") {
            *count += 1;
            assert_eq!(request.header("authorization"), Some(BASIC));
            assert_eq!(
                request.path,
                "/token?service=s%20x&scope=repository%3Ax%3Apull"
            );
            return peer.answer(200, &[], format!(r#"{{"token":"t{count}"}}"#).as_bytes());
        }
        // The first token is no longer taken when it comes to layers.
        let is_good = match request.header("authorization") {
            Some("Bearer t1") => !image.is_layer(request),
            Some("Bearer t2" | "Bearer t3") => true,
            _ => false,
        };
        if is_good {
            return image.serve(request, peer);
        }
        let challenge = format!(
            r#"Bearer realm="{}",service="s x""#,
            its_realm.lock().unwrap()
        );
        peer.answer(401, &[("www-authenticate", &challenge)], b"");
    });
    *realm.lock().unwrap() = format!("http://{}/token", server.address());
    let place = Place::new();
    place
        .pull(with_login(&server), &format!("{}/x", server.address()))
        .unwrap();
}

#[test]
fn a_registry_that_is_never_content_is_left_after_one_proof() {
    let realm = Arc::new(Mutex::new(String::new()));
    let its_realm = realm.clone();
    let server = Server::start(move |request, peer| {
        if request.path.starts_with("/token") {
            return peer.answer(200, &[], br#"{"token":"t"}"#);
        }
        let challenge = format!(r#"Bearer realm="{}""#, its_realm.lock().unwrap());
        peer.answer(401, &[("www-authenticate", &challenge)], b"");
    });
    *realm.lock().unwrap() = format!("http://{}/token", server.address());
    let place = Place::new();
    let error = place
        .pull(with_login(&server), &format!("{}/x", server.address()))
        .expect_err("it is refused");
    assert!(
        matches!(
            error,
            PullError::Denied {
                with_login: true,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 3);
    place.is_empty();
}

#[test]
fn no_login_and_unknown_challenges_are_told_apart() {
    let name = |server: &Server| format!("{}/x", server.address());
    let server = Server::start(|_, peer| peer.answer(401, &[("www-authenticate", "Basic")], b""));
    let error = Place::new()
        .pull(options(&server), &name(&server))
        .unwrap_err();
    assert!(
        matches!(
            error,
            PullError::Denied {
                with_login: false,
                ..
            }
        ),
        "{error:?}"
    );
    for challenge in ["Negotiate", "", "Bearer"] {
        let server =
            Server::start(move |_, peer| peer.answer(401, &[("www-authenticate", challenge)], b""));
        let error = Place::new()
            .pull(with_login(&server), &name(&server))
            .unwrap_err();
        assert!(
            matches!(error, PullError::Challenge { .. }),
            "{challenge}: {error:?}"
        );
    }
}

#[test]
fn a_token_server_that_misbehaves_is_named_and_never_the_login() {
    for body in [
        &b"{}"[..],
        b"not json",
        b"{\"token\":\"a\\nb\"}",
        &[b'x'; 300_000],
    ] {
        let realm = Arc::new(Mutex::new(String::new()));
        let its_realm = realm.clone();
        let server = Server::start(move |request, peer| {
            if request.path.starts_with("/token") {
                return peer.answer(200, &[], body);
            }
            let challenge = format!(r#"Bearer realm="{}""#, its_realm.lock().unwrap());
            peer.answer(401, &[("www-authenticate", &challenge)], b"");
        });
        *realm.lock().unwrap() = format!("http://{}/token", server.address());
        let error = Place::new()
            .pull(with_login(&server), &format!("{}/x", server.address()))
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            matches!(error, PullError::Token { .. } | PullError::Net(_)),
            "{shown}"
        );
        assert!(
            !shown.contains("hunter2") && !shown.contains("bWU6"),
            "{shown}"
        );
    }
}

#[test]
fn a_token_is_not_asked_for_without_encryption_or_in_private_places() {
    let spy = Server::start(|_, peer| peer.answer(200, &[], br#"{"token":"t"}"#));
    for realm in [
        format!("http://{}/token", spy.address()),
        "https://127.0.0.1:9/token".to_owned(),
        "https://me:pw@127.0.0.1/token".to_owned(),
        "file:///etc/passwd".to_owned(),
        "x".to_owned(),
    ] {
        let challenge = format!(r#"Bearer realm="{realm}""#);
        let server = Server::start(move |_, peer| {
            peer.answer(401, &[("www-authenticate", &challenge)], b"");
        });
        let error = Place::new()
            .pull(with_login(&server), &format!("{}/x", server.address()))
            .unwrap_err();
        assert!(
            matches!(error, PullError::Token { .. } | PullError::Net(_)),
            "{error:?}"
        );
    }
    assert!(spy.requests().is_empty());
}

#[test]
fn blobs_on_another_server_are_fetched_without_a_proof() {
    let image = Image::new(&[b"one"]);
    let inner = image.clone();
    let store = Server::start(move |request: &Request, peer| inner.serve(request, peer));
    let elsewhere = store.address().to_owned();
    let server = Server::start(move |request, peer| match request.header("authorization") {
        Some(BASIC) if image.is_layer(request) => {
            let to = format!("http://{elsewhere}{}", request.path);
            peer.answer(307, &[("location", &to)], b"")
        }
        Some(BASIC) => image.serve(request, peer),
        _ => peer.answer(401, &[("www-authenticate", "Basic")], b""),
    });
    let mut options = with_login(&server);
    options.reach = options.reach.trust(store.address());
    options.insecure = vec![store.address().to_owned()];
    Place::new()
        .pull(options, &format!("{}/x", server.address()))
        .unwrap();
    assert_eq!(proofs(&store), [None]);
}
