//! A repository that git made, served by git's own program.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::{Peer, Request, Server};
use crate::tls::Shown;

/// A repository with one commit, and a server for it.
#[derive(Debug)]
pub struct Repository {
    folder: tempfile::TempDir,
    /// Has it under any path that begins with `/repo`.
    pub server: Server,
}

impl Repository {
    /// `None` where git is missing, which is said.
    ///
    /// # Panics
    /// Git fails.
    pub fn new(format: &str, fill: impl FnOnce(&Repository)) -> Option<Repository> {
        Repository::guarded(format, None, None, fill)
    }

    /// As [`Repository::new`], with a certificate and for those alone who send this authorization.
    ///
    /// # Panics
    /// Git fails.
    pub fn guarded(
        format: &str,
        shown: Option<Shown>,
        authorization: Option<&'static str>,
        fill: impl FnOnce(&Repository),
    ) -> Option<Repository> {
        if Command::new("git").arg("--version").output().is_err() {
            println!("skipped: git is not installed (package git)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let serve = move |request: &Request, peer: &mut Peer| {
            if authorization.is_some_and(|wanted| request.header("authorization") != Some(wanted)) {
                return peer.answer(401, &[("www-authenticate", "Basic realm=\"git\"")], b"");
            }
            backend(&root, request, peer);
        };
        let server = match shown {
            None => Server::start(serve),
            Some(shown) => Server::start_tls(shown, serve),
        };
        let repository = Repository { folder, server };
        std::fs::create_dir(repository.path()).unwrap();
        repository.git(&[
            "init",
            "-q",
            "-b",
            "main",
            &format!("--object-format={format}"),
        ]);
        fill(&repository);
        repository.git(&["add", "-A"]);
        Some(repository)
    }

    /// Where it lies.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("repo")
    }

    /// Writes a file of it.
    ///
    /// # Panics
    /// The system fails.
    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// What a git command prints.
    ///
    /// # Panics
    /// It fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(["-c", "core.symlinks=true", "-c", "core.quotePath=false"])
            .args(arguments)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", self.folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits what was added; the commit's id.
    pub fn commit(&self) -> String {
        self.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The id of a commit's tree.
    pub fn tree(&self, commit: &str) -> String {
        self.git(&["rev-parse", &format!("{commit}^{{tree}}")])
    }
}

/// Git's own program for servers, as a web server would start it.
fn backend(root: &Path, request: &Request, peer: &mut Peer) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", root)
        .env(
            "PATH_INFO",
            path.replacen("/repo.git", "/repo", 1)
                .replacen("/repo", "/repo/.git", 1),
        )
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env(
            "CONTENT_TYPE",
            request.header("content-type").unwrap_or_default(),
        )
        .env(
            "GIT_PROTOCOL",
            request.header("git-protocol").unwrap_or_default(),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&request.body)
        .unwrap();
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    child.wait().unwrap();
    let end = output
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: ")?.get(..3)?.parse().ok());
    peer.answer(
        status.unwrap_or(200),
        &[],
        output.get(end + 4..).unwrap_or_default(),
    );
}
