//! Registries that do not answer, or send us elsewhere.

use super::super::{Place, limits};
use super::refused_without_a_trace;
use gradus_fetch::Owner;
use gradus_fetch::net::{NetError, Reach};
use gradus_fetch::registry::{PullError, PullOptions};
use gradus_servers::server::Server;

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
