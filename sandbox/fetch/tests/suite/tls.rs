//! Servers with certificates: of an authority that is trusted, and such as are refused, with a word about why.

use gradus_fetch::Owner;
use gradus_fetch::download::{DownloadError, DownloadOptions, download};
use gradus_fetch::git::{FetchError, FetchOptions, Fetcher};
use gradus_fetch::net::{Authorities, NetError, NetLimits, Reach};
use gradus_fetch::registry::{PullError, PullOptions, Puller, Reference};
use gradus_image::store::Store;
use gradus_servers::git::Repository;
use gradus_servers::registry::Image;
use gradus_servers::server::Server;
use gradus_servers::tls::{Shown, authority};
use std::sync::Arc;
use std::time::Duration;

use crate::download::To;

fn limits() -> NetLimits {
    NetLimits {
        total: Duration::from_secs(20),
        retries: 2,
        retry_wait: Duration::from_millis(1),
        ..NetLimits::default()
    }
}

/// Trusts the tests' authority alone, and this server's address.
fn reach(server: &Server) -> Reach {
    Reach::public()
        .trust(server.address())
        .vouched_by(Authorities::of_file(&authority()).unwrap())
}

/// A name that the certificates are for.
const REGISTRY: &str = "registry.example.org";

/// What is said of each certificate that is wrong.
const WRONG: [(Shown, &str); 3] = [
    (Shown::Other, "for another name"),
    (Shown::Expired, "has expired"),
    (Shown::Alone, "no authority that is trusted"),
];

#[track_caller]
fn is_about_the_certificate(error: &NetError, server: &Server, name: &str, why: &str) {
    let NetError::Certificate { .. } = error else {
        panic!("{why}: {error:?}");
    };
    let text = error.to_string();
    assert!(text.contains(why) && text.contains(name), "{text}");
    assert_eq!(error.owner(), Owner::Host);
    // It is not asked again, and nothing was said to it.
    assert!(server.requests().is_empty());
}

fn registry(shown: Shown) -> (Server, Image) {
    let image = Image::new(&[b"one"]);
    let served = image.clone();
    let serve = move |request: &_, peer: &mut _| served.serve(request, peer);
    (Server::start_tls(shown, serve), image)
}

#[test]
fn an_image_is_pulled_from_a_server_that_shows_who_it_is() {
    let pull = |server: &Server, reach: Reach| {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_unflushed(&folder.path().join("store")).unwrap();
        let pin = store.pin().unwrap();
        let options = PullOptions {
            limits: limits(),
            ..PullOptions::default()
        };
        // By its own name, since a registry of this machine is asked without encryption.
        let reach = reach.through(Arc::new(To(server.address().to_owned())));
        let options = PullOptions { reach, ..options };
        let reference: Reference = format!("{REGISTRY}/x").parse().unwrap();
        Puller::new(options).pull(&store, &pin, &reference, &|_| {})
    };
    let (server, image) = registry(Shown::Good);
    let pulled = pull(&server, reach(&server)).unwrap();
    assert_eq!(pulled.resolved.to_string(), image.digest());
    for (shown, why) in WRONG {
        let (server, _) = registry(shown);
        let PullError::Net(error) = pull(&server, reach(&server)).unwrap_err() else {
            panic!("{shown:?}");
        };
        is_about_the_certificate(&error, &server, REGISTRY, why);
    }
    // Without the authority the good one is as good as one of nobody.
    let (server, _) = registry(Shown::Good);
    let world = Reach::public().trust(server.address());
    let PullError::Net(error) = pull(&server, world).unwrap_err() else {
        panic!("no error of the network");
    };
    is_about_the_certificate(&error, &server, REGISTRY, "no authority that is trusted");
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
}

#[test]
fn a_commit_is_fetched_from_a_server_that_shows_who_it_is() {
    for (shown, why) in [(Shown::Good, "")].into_iter().chain(WRONG) {
        let repository = Repository::guarded("sha1", Some(shown), None, |repository| {
            repository.write("a", b"content");
        });
        let Some(repository) = repository else { return };
        let commit = repository.commit().parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("tree");
        let options = FetchOptions {
            limits: limits(),
            reach: reach(&repository.server),
            ..FetchOptions::default()
        };
        let url = format!("https://{}/repo", repository.server.address());
        match Fetcher::new(options).fetch(&url, &commit, None, &dir) {
            Ok(_) => {
                assert_eq!(shown, Shown::Good);
                assert_eq!(std::fs::read(dir.join("a")).unwrap(), b"content");
            }
            Err(FetchError::Net(error)) => {
                is_about_the_certificate(
                    &error,
                    &repository.server,
                    repository.server.address(),
                    why,
                );
                assert!(!dir.exists());
            }
            Err(error) => panic!("{shown:?}: {error:?}"),
        }
    }
}

#[test]
fn a_file_is_downloaded_from_a_server_that_shows_who_it_is() {
    for (shown, why) in [(Shown::Good, "")].into_iter().chain(WRONG) {
        let server = Server::start_tls(shown, |_, peer| peer.answer(200, &[], b"content"));
        let options = DownloadOptions {
            bytes_max: 100,
            limits: limits(),
            reach: reach(&server),
        };
        let url = format!("https://{}/x", server.address());
        let mut file = tempfile::tempfile().unwrap();
        match download(&url, &mut file, &options) {
            Ok(file) => assert_eq!((shown, file.bytes), (Shown::Good, 7)),
            Err(DownloadError::Net(error)) => {
                is_about_the_certificate(&error, &server, server.address(), why)
            }
            Err(error) => panic!("{shown:?}: {error:?}"),
        }
    }
}
