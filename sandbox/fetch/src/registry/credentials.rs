//! Who we are to which registry: what `docker login` and `podman login` have written. Programs that would have to be started for it
//! (`credsStore`, `credHelpers`) are not.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::reference::DEFAULT_REGISTRY;
use crate::net::Secret;

/// Names and passwords by registry.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    by_server: BTreeMap<String, Login>,
}

#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// Why logins cannot be read. Their text is in no message.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum CredentialsError {
    #[error("{} cannot be read", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{from} is no JSON of logins, at line {line}\nhelp: write it with docker login or podman login"
    )]
    Json { from: String, line: usize },
    #[error("{from}: the login of {server} is not user:password in base64\nhelp: log in again")]
    Login { from: String, server: String },
}

const FILE_BYTES_MAX: u64 = 1 << 20;

impl Credentials {
    /// Nobody to anybody.
    pub fn none() -> Credentials {
        Credentials::default()
    }

    /// Adds a login.
    pub fn with(mut self, registry: &str, user: &str, password: Secret) -> Credentials {
        let login = Login {
            user: user.to_owned(),
            password,
        };
        self.by_server.insert(key(registry), login);
        self
    }

    /// From JSON as in `~/.docker/config.json`; `from` names it in messages.
    ///
    /// # Errors
    /// `Json`, `Login`.
    pub fn parse(json: &[u8], from: &str) -> Result<Credentials, CredentialsError> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            auths: BTreeMap<String, Entry>,
        }
        #[derive(Deserialize)]
        struct Entry {
            auth: Option<String>,
            username: Option<String>,
            password: Option<String>,
        }
        let file: File = serde_json::from_slice(json).map_err(|e| CredentialsError::Json {
            from: from.to_owned(),
            line: e.line(),
        })?;
        let mut out = Credentials::none();
        for (server, entry) in file.auths {
            let wrong = || CredentialsError::Login {
                from: from.to_owned(),
                server: server.chars().take(100).collect(),
            };
            let (user, password) = match (entry.username, entry.password, entry.auth) {
                (Some(user), Some(password), _) => (user, password),
                (_, _, Some(auth)) if !auth.is_empty() => {
                    let bytes = STANDARD.decode(auth.trim()).map_err(|_| wrong())?;
                    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
                    let (user, password) = text.split_once(':').ok_or_else(wrong)?;
                    // Some writers pad with NULs.
                    (user.to_owned(), password.trim_end_matches('\0').to_owned())
                }
                // Kept in a program's store: not here.
                _ => continue,
            };
            out = out.with(&server, &user, Secret::new(password));
        }
        Ok(out)
    }

    /// From a file.
    ///
    /// # Errors
    /// As [`Credentials::parse`]; `Io`.
    pub fn read(path: &Path) -> Result<Credentials, CredentialsError> {
        let io = |source| CredentialsError::Io {
            path: path.to_owned(),
            source,
        };
        let file = std::fs::File::open(path).map_err(io)?;
        let mut json = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut json).map_err(io)?;
        Credentials::parse(&json, &path.display().to_string())
    }

    /// From where other tools look: the JSON in `DOCKER_AUTH_CONFIG`, the file of `REGISTRY_AUTH_FILE`, `config.json` in `DOCKER_CONFIG` or in
    /// `~/.docker`; the first that is there. Nobody where none is.
    ///
    /// # Errors
    /// As [`Credentials::read`].
    pub fn from_environment() -> Result<Credentials, CredentialsError> {
        const JSON: &str = "DOCKER_AUTH_CONFIG";
        if let Some(json) = std::env::var_os(JSON) {
            return Credentials::parse(json.as_encoded_bytes(), JSON);
        }
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        if let Some(file) = variable("REGISTRY_AUTH_FILE") {
            return Credentials::read(Path::new(&file));
        }
        let folder = variable("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".docker")));
        match folder.map(|folder| folder.join("config.json")) {
            Some(path) if path.exists() => Credentials::read(&path),
            _ => Ok(Credentials::none()),
        }
    }

    pub(super) fn of(&self, registry: &str) -> Option<&Login> {
        self.by_server.get(&key(registry))
    }
}

/// What a login is filed under: `https://index.docker.io/v1/` is Docker's registry, paths and schemes do not matter.
fn key(server: &str) -> String {
    let server = server
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let host = server.split('/').next().unwrap_or_default();
    match host {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY.to_owned(),
        host => host.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_of_docker_and_podman_are_found_and_not_shown() {
        // aGVsbG86d29ybGQ= is hello:world, by coreutils' base64.
        let json = br#"{"auths": {"https://index.docker.io/v1/": {"auth": "aGVsbG86d29ybGQ="},
            "ghcr.io": {"username": "me", "password": "p:w"}, "stored.io": {}}, "credsStore": "x"}"#;
        let credentials = Credentials::parse(json, "test").unwrap();
        let login = credentials.of("docker.io").unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.expose()),
            ("hello", "world")
        );
        assert_eq!(credentials.of("ghcr.io").unwrap().password.expose(), "p:w");
        assert!(credentials.of("stored.io").is_none());
        assert!(credentials.of("evil.io").is_none() && credentials.of("ghcr.io:8443").is_none());
        let shown = format!("{credentials:?}");
        assert!(
            !shown.contains("world") && !shown.contains("p:w"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_without_its_text() {
        for json in [
            &br#"{"auths": {"a.io": {"auth": "secret!"}}}"#[..],
            br#"{"auths": {"a.io": {"auth": "c2VjcmV0"}}}"#,
            br#"{"auths": secret"#,
        ] {
            let error = Credentials::parse(json, "the file")
                .unwrap_err()
                .to_string();
            assert!(
                error.contains("the file") && !error.contains("secret"),
                "{error}"
            );
        }
    }
}
