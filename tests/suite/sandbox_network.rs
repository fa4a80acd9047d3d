//! `gradus sandbox fetch`, `pull`, `build --pull` and `ADD` against servers on loopback, real ones and such as cut off, with TLS and without.

use crate::binary::{Finished, gradus};
use gradus_servers::git::Repository;
use gradus_servers::registry::{Image, archive, begin_of, noise};
use gradus_servers::server::{Peer, Request, Server};
use gradus_servers::tls::{Shown, authority};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// None where images cannot be unpacked with their owners.
    fn as_root() -> Option<Place> {
        let root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if !root {
            println!("skipped: images are unpacked as root");
        }
        root.then(Place::new)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(gradus());
        command
            .args(["sandbox", "--state"])
            .arg(self.path("state"))
            .args(arguments)
            .env_remove("SSL_CERT_FILE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.command(arguments))
    }

    /// With the tests' authority as the one that is trusted.
    fn run_trusting(&self, arguments: &[&str]) -> Finished {
        finish(self.command(arguments).env("SSL_CERT_FILE", authority()))
    }
}

fn finish(command: &mut Command) -> Finished {
    let output = command.output().unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// `x-access-token:hunter2`, as a token is sent.
const AUTHORIZATION: &str = "Basic eC1hY2Nlc3MtdG9rZW46aHVudGVyMg==";

#[test]
fn a_commit_is_fetched_with_a_token_and_not_without() {
    let repository = Repository::guarded("sha1", None, Some(AUTHORIZATION), |repository| {
        repository.write("run.sh", b"echo hi\n");
        repository.write("deep/er/file", &noise(200_000, 3));
    });
    let Some(repository) = repository else { return };
    let commit = repository.commit();
    let place = Place::new();
    let url = format!("http://{}/repo", repository.server.address());
    let server = repository.server.address();
    let fetch = |token: Option<&str>, commit: &str, into: &str| {
        let dir = place.path(into);
        let mut arguments = vec!["fetch", "--insecure-loopback", "--trust", server];
        if token.is_some() {
            arguments.extend(["--token-env", "THE_TOKEN"]);
        }
        arguments.extend([&url, commit, dir.to_str().unwrap()]);
        finish(
            place
                .command(&arguments)
                .env("THE_TOKEN", token.unwrap_or_default()),
        )
    };
    let fetched = fetch(Some("hunter2"), &commit, "tree");
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    assert_eq!(fetched.stdout.trim(), repository.tree(&commit));
    assert_eq!(
        fs::read(place.path("tree/deep/er/file")).unwrap(),
        noise(200_000, 3)
    );
    let missing = "0123456789012345678901234567890123456789";
    for (token, commit, word) in [
        (None, commit.as_str(), "give a token"),
        (Some("wrong"), &commit, "to this token"),
        (Some("hunter2"), missing, missing),
        (Some("hunter2"), "main", "40"),
    ] {
        let refused = fetch(token, commit, "other");
        let usage = commit == "main";
        assert_eq!(
            refused.code,
            Some(if usage { 2 } else { 1 }),
            "{word}: {}",
            refused.stderr
        );
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
        for secret in ["hunter2", "wrong", "eC1hY2"] {
            let said = refused.stderr.contains(secret) || refused.stdout.contains(secret);
            assert!(!said, "{secret}: {}", refused.stderr);
        }
        assert!(!place.path("other").exists() && refused.stdout.is_empty());
    }
    // Nothing of a try is left beside the tree.
    let left: Vec<_> = fs::read_dir(place.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["tree"]);
}

#[test]
fn a_hostile_tree_is_refused_and_not_written() {
    let repository = Repository::new("sha1", |_| {});
    let Some(repository) = repository else { return };
    // As nobody's git would write it: `.git` with a hook in it.
    repository.write("hook", b"#!/bin/sh\n");
    let blob = repository.git(&["hash-object", "-w", "hook"]);
    let object = |kind: &str, content: &[u8]| {
        let file = repository.path().join("object");
        fs::write(&file, content).unwrap();
        repository.git(&["hash-object", "-w", "-t", kind, "--literally", "object"])
    };
    let bytes = |hex: &str| -> Vec<u8> {
        (0..20)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    };
    let inner = object(
        "tree",
        &[b"100755 config\0".as_slice(), &bytes(&blob)].concat(),
    );
    for name in [".git", ".."] {
        let tree = object(
            "tree",
            &[format!("40000 {name}\0").as_bytes(), &bytes(&inner)].concat(),
        );
        let text = format!("tree {tree}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n");
        let commit = object("commit", text.as_bytes());
        repository.git(&["update-ref", "refs/heads/main", &commit]);
        let place = Place::new();
        let server = repository.server.address();
        let url = format!("http://{server}/repo");
        let dir = place.path("tree");
        let fetched = place.run(&[
            "fetch",
            "--insecure-loopback",
            "--trust",
            server,
            &url,
            &commit,
            dir.to_str().unwrap(),
        ]);
        assert_eq!(fetched.code, Some(1), "{name}: {}", fetched.stderr);
        assert!(
            fetched.stderr.contains("tree"),
            "{name}: {}",
            fetched.stderr
        );
        assert!(is_empty(place.folder.path()), "{name}");
    }
}

#[test]
fn servers_certificates_are_judged_by_the_authorities_that_a_variable_names() {
    let Some(place) = Place::as_root() else {
        return;
    };
    for (shown, why) in [
        (Shown::Good, ""),
        (Shown::Other, "its certificate is for another name"),
        (Shown::Expired, "its certificate has expired"),
        (Shown::Alone, "no authority that is trusted vouches for it"),
    ] {
        let repository = Repository::guarded("sha1", Some(shown), None, |repository| {
            repository.write("a", b"content");
        });
        let Some(repository) = repository else { return };
        let commit = repository.commit();
        let dir = place.path(&format!("tree-{shown:?}"));
        let server = repository.server.address();
        let url = format!("https://{server}/repo");
        let arguments = [
            "fetch",
            "--trust",
            server,
            &url,
            &commit,
            dir.to_str().unwrap(),
        ];
        let fetched = place.run_trusting(&arguments);
        let is_good = shown == Shown::Good;
        assert_eq!(
            fetched.code,
            Some(if is_good { 0 } else { 125 }),
            "{}",
            fetched.stderr
        );
        assert!(fetched.stderr.contains(why), "{}", fetched.stderr);
        assert_eq!(dir.exists(), is_good);

        let image = Image::new(&[b"one"]);
        let serve = move |request: &Request, peer: &mut Peer| image.serve(request, peer);
        let registry = Server::start_tls(shown, serve);
        let mirror = format!("registry.invalid=https://{}", registry.address());
        let name = format!("registry.invalid/{}", format!("{shown:?}").to_lowercase());
        let pulled = place.run_trusting(&["pull", "--mirror", &mirror, &name]);
        assert_eq!(
            pulled.code,
            Some(if is_good { 0 } else { 125 }),
            "{}",
            pulled.stderr
        );
        assert!(pulled.stderr.contains(why), "{}", pulled.stderr);
        if is_good {
            let world = place.run(&["pull", "--mirror", &mirror, &format!("{name}:2")]);
            assert_eq!(world.code, Some(125));
            assert!(world.stderr.contains("no authority"), "{}", world.stderr);
        }
    }
    let empty = place.path("empty");
    fs::write(&empty, "no certificate").unwrap();
    for file in [&empty, &place.path("none")] {
        let pulled = finish(place.command(&["pull", "x"]).env("SSL_CERT_FILE", file));
        assert_eq!(pulled.code, Some(125));
        assert!(pulled.stderr.contains("SSL_CERT_FILE"), "{}", pulled.stderr);
    }
}

/// SIGKILL in the middle of a layer of 40 MB, at a server that then says nothing more; the next call asks for the rest.
#[test]
fn a_pull_that_is_killed_is_gone_on_with() {
    let Some(place) = Place::as_root() else {
        return;
    };
    let content = noise(40 << 20, 7);
    let image = Image::of_archives(&[archive("file", &content)]);
    let whole = image.blobs[&image.layers[0]].len();
    let stalls = AtomicBool::new(true);
    let served = image.clone();
    let server = Server::start(move |request: &Request, peer: &mut Peer| {
        if !served.is_layer(request) || !stalls.swap(false, Ordering::Relaxed) {
            return served.serve(request, peer);
        }
        let blob = &served.blobs[&served.layers[0]];
        peer.head(200, &[("content-length", &blob.len().to_string())]);
        peer.raw(&blob[..25 << 20]);
        peer.stall();
    });
    let name = format!("{}/team/large:1", server.address());
    let arguments = ["pull", "--json", "--trust", server.address(), &name];
    let mut killed = place
        .command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let partial = place
        .path("state/images/partial")
        .join(&image.layers[0]["sha256:".len()..]);
    let until = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&partial).map_or(0, |meta| meta.len()) < 20 << 20 {
        assert!(Instant::now() < until, "it does not get on");
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let there = fs::metadata(&partial).unwrap().len();
    let pulled = place.run(&arguments);
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    let report: Value = serde_json::from_str(&pulled.stdout).unwrap();
    assert_eq!(report["fetched_bytes"], whole as u64 - there);
    let asked: Vec<_> = server
        .requests()
        .iter()
        .filter(|request| image.is_layer(request))
        .map(begin_of)
        .collect();
    assert_eq!(asked, [None, Some(there as usize)]);
    assert!(!partial.exists());
    // Nothing is left of the one that was killed.
    assert!(
        is_empty(&place.path("state/images/tmp")) && is_empty(&place.path("state/images/pins"))
    );
    let layers = place.path("state/images/layers");
    let layer = fs::read_dir(layers)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(fs::read(layer.join("fs/file")).unwrap(), content);
}

#[test]
fn two_pulls_of_one_layer_at_once_both_succeed() {
    let Some(place) = Place::as_root() else {
        return;
    };
    let image = Image::of_archives(&[archive("file", &noise(4 << 20, 8))]);
    let served = image.clone();
    let server =
        Server::start(move |request: &Request, peer: &mut Peer| served.serve(request, peer));
    let name = format!("{}/team/large:1", server.address());
    let arguments = ["pull", "--trust", server.address(), &name];
    let started: Vec<_> = (0..4)
        .map(|_| {
            place
                .command(&arguments)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in started {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(
        is_empty(&place.path("state/images/partial")) && is_empty(&place.path("state/images/tmp"))
    );
}

/// Of `weights`, by coreutils' sha256sum.
const WEIGHTS: &str = "sha256:9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";

/// `ADD` over TLS: a file and a commit, on record as all that a build reaches.
#[test]
fn files_and_commits_are_added_from_the_hosts_that_are_allowed() {
    let Some(place) = Place::as_root() else {
        return;
    };
    let repository = Repository::guarded("sha1", Some(Shown::Good), None, |repository| {
        repository.write("src/train.py", b"print()");
    });
    let Some(repository) = repository else { return };
    let commit = repository.commit();
    let files = Server::start_tls(
        Shown::Good,
        |request: &Request, peer: &mut Peer| match request.path.as_str() {
            "/moved" => peer.answer(302, &[("location", "https://127.0.0.1:9/x")], b""),
            _ => peer.answer(
                200,
                &[("last-modified", "Thu, 01 Jan 1970 00:00:07 GMT")],
                b"weights",
            ),
        },
    );
    let (host, git) = (files.address(), repository.server.address());
    fs::create_dir(place.path("context")).unwrap();
    let build = |text: &str, more: &[&str]| {
        let (file, context) = (place.path("Dockerfile"), place.path("context"));
        fs::write(&file, text).unwrap();
        let (file, context) = (
            file.to_str().unwrap().to_owned(),
            context.to_str().unwrap().to_owned(),
        );
        let mut arguments = vec![
            "build",
            context.as_str(),
            "-f",
            file.as_str(),
            "-t",
            "added",
        ];
        arguments.extend(more);
        place.run_trusting(&arguments)
    };
    let (log, json) = (place.path("log"), place.path("json"));
    let text = format!(
        "FROM scratch\nADD https://{host}/w.bin /in/\nADD https://{git}/repo.git#{commit}:src /src/\n"
    );
    let options = [
        "--allow-host",
        host,
        "--allow-host",
        git,
        "--egress-log",
        log.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ];
    let built = build(&text, &options);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["added"][0]["bytes"], 7);
    assert_eq!(report["added"][1]["content"], commit.as_str());
    assert_eq!(report["added"][0]["content"], WEIGHTS);
    let records = fs::read_to_string(&log).unwrap();
    for host in [host, git] {
        assert!(
            records.contains(&format!("\"method\":\"ADD\",\"target\":\"{host}\"")),
            "{records}"
        );
    }
    let layout = place.path("layout");
    let exported = place.run(&["image", "export", "added", layout.to_str().unwrap()]);
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let layers = place.path("state/images/layers");
    let found = |name: &str| {
        let layers = fs::read_dir(&layers).unwrap();
        let mut paths = layers.map(|layer| layer.unwrap().path().join("fs").join(name));
        paths.find(|path| path.exists()).unwrap()
    };
    let file = fs::metadata(found("in/w.bin")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.mtime()), (0o600, 7));
    assert_eq!(fs::read(found("src/train.py")).unwrap(), b"print()");

    for (text, more, code, word) in [
        (
            format!("FROM scratch\nADD https://{host}/w /w\n"),
            &[][..],
            1,
            "may reach no host",
        ),
        (
            format!("FROM scratch\nADD https://{host}/w /w\n"),
            &["--allow-host", "example.org"],
            1,
            "not a host that this job may reach",
        ),
        (
            format!("FROM scratch\nADD https://{host}/moved /w\n"),
            &options[..2],
            1,
            "not a host that this job may reach",
        ),
        (
            format!(
                "FROM scratch\nADD https://localhost:{}/w /w\n",
                host.split(':').nth(1).unwrap()
            ),
            &["--allow-host", "*"],
            1,
            "not a host",
        ),
        (
            format!(
                "FROM scratch\nADD https://{git}/repo.git#0123456789012345678901234567890123456789 /w\n"
            ),
            &options[2..4],
            1,
            "0123456789",
        ),
        (
            format!("FROM scratch\nADD https://{host}/w /w\n"),
            &["--allow-host", host, "--egress", "1KiB"],
            1,
            "Limit of bytes",
        ),
    ] {
        let built = build(&text, more);
        assert_eq!(built.code, Some(code), "{text}: {}", built.stderr);
        assert!(built.stderr.contains(word), "{text}: {}", built.stderr);
        assert!(is_empty(&place.path("state/builds/running")));
    }
    for (shown, why) in [
        (Shown::Other, "for another name"),
        (Shown::Expired, "has expired"),
        (Shown::Alone, "no authority"),
    ] {
        let files = Server::start_tls(shown, |_, peer: &mut Peer| peer.answer(200, &[], b""));
        let text = format!("FROM scratch\nADD https://{}/w /w\n", files.address());
        let built = build(&text, &["--allow-host", files.address()]);
        assert_eq!(built.code, Some(125), "{}", built.stderr);
        assert!(built.stderr.contains(why), "{}", built.stderr);
    }
}
