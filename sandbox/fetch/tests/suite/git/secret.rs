//! A token: who sees it, and who does not.

use super::pack::{Maker, advertise, framed};
use super::{Place, options};
use gradus_fetch::git::FetchError;
use gradus_fetch::net::Secret;
use gradus_servers::server::{Peer, Request, Server};
use std::path::Path;

const TOKEN: &str = "ghp_c0ffeec0ffeec0ffee";
/// `x-access-token:` and the token, by coreutils' base64.
const HEADER: &str = "Basic eC1hY2Nlc3MtdG9rZW46Z2hwX2MwZmZlZWMwZmZlZWMwZmZlZQ==";

fn pack() -> (Vec<u8>, String) {
    let mut maker = Maker::new();
    let blob = maker.blob(b"x");
    let tree = maker.tree(&[("100644", b"f", blob)]);
    let commit = maker.commit(&tree).to_string();
    (framed(&maker.finish()), commit)
}

#[test]
fn a_token_is_sent_to_the_server_and_is_nowhere_else() {
    let (answer, commit) = pack();
    let place = Place::new();
    let folder = place.folder.path().to_owned();
    let server = Server::start(move |request: &Request, peer: &mut Peer| {
        if request.header("authorization") != Some(HEADER) {
            return peer.answer(401, &[("www-authenticate", "Basic")], b"");
        }
        // While the fetch runs: no process has it as an argument, no file of the fetch holds it.
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            assert!(!holds(&line), "{process:?}");
        }
        assert!(!any_file_holds(&folder));
        if !advertise(request, peer) {
            peer.answer(200, &[], &answer);
        }
    });
    let error = place.fetch(options(&server), &server, &commit).unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::Denied {
                with_token: false,
                ..
            }
        ),
        "{error:?}"
    );
    let token = Secret::new(TOKEN);
    let fetched = place
        .fetch_with(options(&server), &server, &commit, Some(&token))
        .unwrap();
    assert!(!any_file_holds(place.folder.path()));
    assert!(!holds(format!("{fetched:?} {token:?}").as_bytes()));
    assert_eq!(
        server.requests().len(),
        3,
        "no request was answered by a failed assertion"
    );
}

#[test]
fn what_a_server_says_about_a_token_is_not_repeated() {
    let (_, commit) = pack();
    let encoded = HEADER.trim_start_matches("Basic ");
    for said in [TOKEN, HEADER, encoded] {
        let said = format!("ERR you sent {said}");
        let server = Server::start(move |request: &Request, peer: &mut Peer| {
            if !advertise(request, peer) {
                let packet = format!("{:04x}{said}0000", said.len() + 4);
                peer.answer(200, &[], packet.as_bytes());
            }
        });
        let place = Place::new();
        let token = Secret::new(TOKEN);
        let error = place
            .fetch_with(options(&server), &server, &commit, Some(&token))
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(
            matches!(error, FetchError::Said { .. }) && !holds(shown.as_bytes()),
            "{shown}"
        );
        place.is_empty();
    }
}

#[test]
fn another_server_does_not_get_it_and_a_renamed_repository_does() {
    let (answer, commit) = pack();
    let elsewhere = Server::start(|_, peer| peer.answer(404, &[], b""));
    let to = format!(
        "http://{}/repo/info/refs?service=git-upload-pack",
        elsewhere.address()
    );
    let server = Server::start(move |_, peer| peer.answer(302, &[("location", &to)], b""));
    let place = Place::new();
    let token = Secret::new(TOKEN);
    let mut trusting = options(&server);
    trusting.reach = trusting.reach.trust(elsewhere.address());
    place
        .fetch_with(trusting, &server, &commit, Some(&token))
        .unwrap_err();
    assert!(
        elsewhere
            .requests()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );

    let server = Server::start(move |request: &Request, peer: &mut Peer| {
        assert_eq!(request.header("authorization"), Some(HEADER));
        if request.path.starts_with("/repo/info") {
            return peer.answer(
                301,
                &[("location", &request.path.replace("/repo", "/new"))],
                b"",
            );
        }
        assert!(request.path.starts_with("/new/"), "{}", request.path);
        if !advertise(request, peer) {
            peer.answer(200, &[], &answer);
        }
    });
    place
        .fetch_with(options(&server), &server, &commit, Some(&token))
        .unwrap();
}

#[test]
fn a_token_that_would_make_another_header_is_refused() {
    let server = Server::start(|_, peer| peer.answer(200, &[], b""));
    let place = Place::new();
    for wrong in ["", "a\r\nX-Evil: 1", "a\n"] {
        let token = Secret::new(wrong);
        let error = place
            .fetch_with(options(&server), &server, &"0".repeat(40), Some(&token))
            .unwrap_err();
        assert!(matches!(error, FetchError::Token), "{error:?}");
    }
    assert!(server.requests().is_empty());
}

fn holds(bytes: &[u8]) -> bool {
    let find = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    find(TOKEN.as_bytes()) || find(HEADER.trim_start_matches("Basic ").as_bytes())
}

fn any_file_holds(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => any_file_holds(&path),
            false => std::fs::read(&path).is_ok_and(|bytes| holds(&bytes)),
        }
    })
}
