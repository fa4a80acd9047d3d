//! Sources of `ADD` that are not in the context: files of the network, and repositories at a commit.

use super::super::{At, DockerfileError, shown};
use super::CopySource;

/// What is supported, for messages.
const SUPPORTED: &str =
    "files, archives, URLs of http and https, and https://HOST/REPOSITORY.git#COMMIT[:DIRECTORY]";

/// The source, if it is one of the network.
pub(super) fn source(
    text: &str,
    add: bool,
    at: At<'_>,
) -> Result<Option<CopySource>, DockerfileError> {
    let lower = text.to_ascii_lowercase();
    let is_web = lower.starts_with("http://") || lower.starts_with("https://");
    let other = ["git@", "git://", "ssh://", "ftp://"];
    if add && other.iter().any(|scheme| lower.starts_with(scheme)) {
        return Err(at.unsupported(
            "ADD of such an address",
            SUPPORTED,
            "use https, or copy the files into the build's context",
        ));
    }
    match (is_web, add) {
        (false, _) => return Ok(None),
        (true, false) => return Err(at.syntax("a path", shown(text), "use ADD for a URL")),
        (true, true) => {}
    }
    let (scheme, rest) = text.split_once("://").expect("it begins with a scheme");
    let rest_at = |c: &[char]| rest.find(c).unwrap_or(rest.len());
    let authority = &rest[..rest_at(&['/', '?', '#'])];
    if authority.is_empty() || text.chars().any(|c| c.is_control() || c == ' ') {
        return Err(at.syntax("a URL", shown(text), "correct it"));
    }
    if authority.contains('@') {
        // Not repeated: it may be a secret.
        return Err(at.syntax(
            "a URL without a user or a password",
            "one with them",
            "fetch it with RUN --mount=type=secret, or copy the file into the build's context",
        ));
    }
    let bare = &rest[..rest_at(&['?', '#'])];
    if bare.to_ascii_lowercase().ends_with(".git") {
        return repository(text, scheme, at).map(Some);
    }
    let path = &bare[authority.len()..];
    Ok(Some(CopySource::Url {
        url: text.split('#').next().unwrap_or_default().to_owned(),
        name: path.rsplit('/').next().and_then(name),
    }))
}

/// `https://HOST/REPOSITORY.git#COMMIT[:DIRECTORY]`.
fn repository(text: &str, scheme: &str, at: At<'_>) -> Result<CopySource, DockerfileError> {
    let refused = |what: &str, help: &str| Err(at.unsupported(what, SUPPORTED, help));
    if !scheme.eq_ignore_ascii_case("https") {
        return refused("ADD of a repository without encryption", "use https");
    }
    let (url, fragment) = text.split_once('#').unwrap_or((text, ""));
    if url.contains('?') {
        return refused(
            "a query behind a repository",
            "write the commit behind #, and the directory behind a :",
        );
    }
    let (commit, directory) = fragment.split_once(':').unwrap_or((fragment, ""));
    let is_whole =
        [40, 64].contains(&commit.len()) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_whole {
        return refused(
            "ADD of a repository without a commit in full",
            "a branch or tag means another commit tomorrow: write the commit's 40 digits behind #",
        );
    }
    let parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err(at.syntax(
            "a directory within the repository",
            shown(directory),
            "correct it; .. does not lead out of it",
        ));
    }
    Ok(CopySource::Repository {
        url: url.to_owned(),
        commit: commit.to_ascii_lowercase(),
        directory: parts.join("/"),
    })
}

/// The last part of a URL's path as a file's name.
fn name(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    let name = String::from_utf8(bytes).ok()?;
    let is_name = !name.is_empty()
        && name.len() <= 255
        && name != "."
        && name != ".."
        && !name.contains(['/', '\0'])
        && !name.chars().any(char::is_control)
        // What begins like this says in a layer that something is gone.
        && !name.starts_with(".wh.");
    is_name.then_some(name)
}
