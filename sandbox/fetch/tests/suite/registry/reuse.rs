//! What is not asked for again, and where it is asked for.

use super::{Place, options};
use gradus_fetch::registry::{Mirror, PullError, PullOptions};
use gradus_image::Digest;
use gradus_servers::registry::{INDEX, Image, MANIFEST, noise};
use gradus_servers::server::Server;

fn count(server: &Server, part: &str) -> usize {
    let requests = server.requests();
    requests
        .iter()
        .filter(|request| request.path.contains(part))
        .count()
}

#[test]
fn layers_that_are_there_are_not_fetched() {
    let small = Image::new(&[b"one"]);
    let large = Image::new(&[b"one", b"two"]);
    let (first, second) = (small.clone(), large.clone());
    let server = Server::start(move |request, peer| {
        let image = if request.path.contains("/small/") {
            &first
        } else {
            &second
        };
        image.serve(request, peer)
    });
    let place = Place::new();
    let pull = |name: &str| {
        let name = format!("{}/{name}", server.address());
        place.pull(options(&server), &name).unwrap()
    };
    let pulled = pull("small");
    assert_eq!(
        pulled.fetched_bytes,
        small.blobs[&small.layers[0]].len() as u64
    );
    let pulled = pull("large");
    assert_eq!(
        pulled.fetched_bytes,
        large.blobs[&large.layers[1]].len() as u64
    );
    assert_eq!(count(&server, &large.layers[0]), 1);

    // The whole image: only its name is asked for.
    let before = server.requests().len();
    let again = pull("large");
    assert_eq!((again.fetched_bytes, again.image), (0, pulled.image));
    assert_eq!(server.requests().len(), before + 1);
}

#[test]
fn a_tag_is_resolved_once_and_what_it_stood_for_is_told() {
    let image = Image::new(&[b"one", b"two"]);
    let digest = image.digest();
    let inner = image.clone();
    let server = Server::start(move |request, peer| inner.serve(request, peer));
    let place = Place::new();
    let pulled = place
        .pull(options(&server), &format!("{}/a/b:v1", server.address()))
        .unwrap();
    assert_eq!(count(&server, "/manifests/v1"), 1);
    assert_eq!(
        pulled.reference.to_string(),
        format!("{}/a/b@{digest}", server.address())
    );
    assert_eq!(pulled.manifest.to_string(), digest);
    assert_eq!(pulled.image.manifest, Some(pulled.manifest));
    assert_eq!(pulled.config.config.env, ["A=b"]);
    assert_eq!(Digest::of(&image.manifest), pulled.resolved);
}

#[test]
fn an_index_leads_to_our_platform() {
    let mut image = Image::new(&[b"one"]);
    let wrong = image.add(b"{}".to_vec());
    let (digest, size) = (image.digest(), image.manifest.len());
    let manifest = image.manifest.clone();
    image.add(manifest);
    let entry = |digest: &str, size: usize, platform: &str| {
        format!(
            r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{size},"platform":{{{platform}}}}}"#
        )
    };
    image.manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{},{},{},{}]}}"#,
        entry(&wrong, 2, r#""os":"linux","architecture":"arm64""#),
        entry(
            &wrong,
            2,
            r#""os":"linux","architecture":"amd64","variant":"v3""#
        ),
        entry(&digest, size, r#""os":"linux","architecture":"amd64""#),
        entry(&wrong, 2, r#""os":"unknown","architecture":"unknown""#),
    )
    .into_bytes();
    let index = Digest::of(&image.manifest);
    let server = Server::start(move |request, peer| image.serve(request, peer));
    let place = Place::new();
    let pulled = place
        .pull(options(&server), &format!("{}/x", server.address()))
        .unwrap();
    assert_eq!(
        (pulled.resolved, pulled.manifest.to_string()),
        (index, digest)
    );
}

#[test]
fn mirrors_are_asked_first_and_the_registry_when_they_fail() {
    let image = Image::new(&[&noise(1000, 1)]);
    let inner = image.clone();
    let registry = Server::start(move |request, peer| inner.serve(request, peer));
    let broken = Server::start(|_, peer| peer.answer(404, &[], b"{}"));
    let mirror = Server::start(move |request, peer| {
        assert!(request.path.starts_with("/below/v2/x/"), "{}", request.path);
        image.serve(request, peer);
    });
    let mirrors = |list: &[&Server], path: &str| -> PullOptions {
        let mut options = options(&registry);
        for server in list {
            let text = format!("{}=http://{}{path}", registry.address(), server.address());
            options.mirrors.push(text.parse::<Mirror>().unwrap());
            options.reach = options.reach.trust(server.address());
        }
        options
    };
    let name = format!("{}/x", registry.address());
    Place::new()
        .pull(mirrors(&[&broken, &mirror], "/below/"), &name)
        .unwrap();
    assert_eq!((broken.requests().len(), registry.requests().len()), (1, 0));
    Place::new().pull(mirrors(&[&broken], ""), &name).unwrap();
    assert_eq!((broken.requests().len(), registry.requests().len()), (2, 3));
}

#[test]
fn mirrors_are_urls_of_servers() {
    assert_eq!(
        "https://m.io/x/".parse::<Mirror>().unwrap().registry,
        "docker.io"
    );
    let mirror: Mirror = "ghcr.io=http://m.io:1".parse().unwrap();
    assert_eq!(
        (mirror.registry.as_str(), mirror.server().unwrap().as_str()),
        ("ghcr.io", "m.io:1")
    );
    for wrong in [
        "",
        "m.io",
        "ftp://m.io",
        "https://u:p@m.io",
        "https://m.io/?x",
        "https://",
    ] {
        let error = wrong.parse::<Mirror>();
        assert!(
            matches!(error, Err(PullError::Mirror { .. })),
            "{wrong}: {error:?}"
        );
    }
}
