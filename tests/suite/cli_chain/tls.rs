//! Nodes behind TLS: whose certificates they show, and who vouches for them.

use super::*;
use gradus_servers::front::Front;
use gradus_servers::tls::{Shown, authority};

/// Certificates that prove nothing, and what is said of each.
const WRONG: [(Shown, &str); 3] = [
    (Shown::Other, "is for another name"),
    (Shown::Expired, "has expired"),
    (Shown::Alone, "no authority that is trusted"),
];

fn url(front: &Front) -> String {
    format!("wss://127.0.0.1:{}", front.port())
}

/// What a chain is, by one node, with no authorities but those that were built in.
fn identity(url: &str) -> Command {
    let mut identity = command();
    identity.args(["chain", "identity", "--network", "local"]);
    identity
        .args(["--endpoint", url])
        .env_remove("SSL_CERT_FILE");
    identity
}

#[test]
fn weights_land_over_tls_by_the_authorities_of_a_file() {
    let place = Place::slow(2);
    let fronts = [0, 1].map(|at: usize| Front::before(place.nodes[at].port(), Shown::Good));
    let urls = fronts.each_ref().map(url);
    let values = place.path("values.json");
    let mut set = place.weights_at(
        &urls,
        "set",
        &["--yes", "--values", values.to_str().unwrap()],
    );
    set.arg("--keyfile").arg(place.path("key"));
    let done = finish(set.env("SSL_CERT_FILE", authority()));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(place.row(), STORED);
}

#[test]
fn a_node_that_does_not_show_who_it_is_is_left_out_and_the_reason_said() {
    let place = Place::new(1, |_| ());
    let port = place.nodes[0].port();
    let good = Front::before(port, Shown::Good);
    let done = finish(identity(&url(&good)).env("SSL_CERT_FILE", authority()));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    // The world does not know the tests' authority.
    let unknown = finish(&mut identity(&url(&good)));
    unknown.complains(
        1,
        &[&url(&good), "no authority that is trusted", "SSL_CERT_FILE"],
    );
    for (shown, why) in WRONG {
        let front = Front::before(port, shown);
        let done = finish(identity(&url(&front)).env("SSL_CERT_FILE", authority()));
        done.complains(1, &[&url(&front), why]);
    }
    // No TLS where it was asked for, and the other way round.
    let plain = format!("wss://127.0.0.1:{port}");
    let hidden = format!("ws://127.0.0.1:{}", good.port());
    for wrong in [plain, hidden] {
        let done = finish(identity(&wrong).args(["--timeout", "1"]));
        done.complains(1, &[&wrong]);
    }
}

#[test]
fn a_file_without_authorities_is_named_and_nobody_is_asked() {
    let place = Place::new(1, |_| ());
    let front = Front::before(place.nodes[0].port(), Shown::Good);
    let file = place.write("authorities", b"none", 0o644);
    for (file, why) in [
        (file, "holds no certificate"),
        (place.path("absent"), "cannot be read"),
    ] {
        let done = finish(identity(&url(&front)).env("SSL_CERT_FILE", &file));
        done.complains(1, &["SSL_CERT_FILE", file.to_str().unwrap(), why]);
    }
    assert!(place.nodes[0].requests().is_empty());
    // Without TLS nobody has to vouch.
    let plain = finish(identity(&place.nodes[0].url()).env("SSL_CERT_FILE", "/nowhere"));
    assert_eq!(plain.code, Some(0), "{}", plain.stderr);
}
