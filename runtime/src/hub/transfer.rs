//! Requests to the hub: what a file is, and its bytes, checked before they count.

use super::cache::{RepoCache, remove_if_there};
use super::hash::hash_of;
use super::{HubError, HubProgress, HubSettings, ModelId};
use hf_hub::api::RepoInfo;
use hf_hub::{Repo, RepoType};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};

/// Longest list of files that is read.
const INFO_BYTES_MAX: u64 = 32 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// A file as the hub describes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// SHA-256 of large files, git's hash of small ones; safe as a file name.
    pub(super) hash: String,
    pub(super) size_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Transfer<'a> {
    settings: &'a HubSettings,
    id: &'a ModelId,
    agent: Agent,
    agent_without_redirects: Agent,
}

/// Whether an endpoint is this machine.
pub(super) fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned))
        .unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

impl<'a> Transfer<'a> {
    pub(super) fn new(settings: &'a HubSettings, id: &'a ModelId) -> Self {
        let agent = |redirects: u32| -> Agent {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(redirects)
                .max_redirects_will_error(false)
                .redirect_auth_headers(RedirectAuthHeaders::SameHost)
                .timeout_resolve(Some(Duration::from_secs(20)))
                .timeout_connect(Some(Duration::from_secs(20)))
                .timeout_recv_response(Some(Duration::from_secs(60)))
                // A stalled body ends here and goes on with a new request.
                .timeout_recv_body(Some(Duration::from_secs(600)))
                .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")));
            let config = if is_loopback(&settings.endpoint) {
                config.proxy(None)
            } else {
                config
            };
            config.build().into()
        };
        Self {
            settings,
            id,
            agent: agent(10),
            agent_without_redirects: agent(0),
        }
    }

    /// Commit and files of the revision.
    pub(super) fn info(&self) -> Result<RepoInfo, HubError> {
        let what = "the list of files";
        let repo = Repo::with_revision(
            self.id.repo.clone(),
            RepoType::Model,
            self.id.revision.clone(),
        );
        let url = format!("{}/api/{}", self.settings.endpoint, repo.api_url());
        self.retry(what, |_| {
            let mut response = self
                .send(&self.agent, "GET", &url, None)
                .map_err(Failed::Network)?;
            self.check_status(what, &response)?;
            let body = response.body_mut().with_config().limit(INFO_BYTES_MAX);
            let bytes = body.read_to_vec().map_err(Failed::Network)?;
            serde_json::from_slice(&bytes).map_err(|e| self.unusable(what, e.to_string()))
        })
    }

    /// Hash and size of a file, from the hub itself and not from where it may send us for the bytes.
    pub(super) fn head(&self, commit: &str, name: &str) -> Result<Remote, HubError> {
        self.retry(name, |_| {
            let mut url = self.url(commit, name);
            for _ in 0..5 {
                let response = self
                    .send(&self.agent_without_redirects, "HEAD", &url, None)
                    .map_err(Failed::Network)?;
                // A model that was renamed: the same place on the hub under another path.
                let elsewhere =
                    header(response.headers(), "location").filter(|to| to.starts_with('/'));
                if let (true, Some(to)) = (response.status().is_redirection(), elsewhere) {
                    url = format!("{}{to}", self.settings.endpoint);
                    continue;
                }
                if !response.status().is_redirection() {
                    self.check_status(name, &response)?;
                }
                return self.remote(name, response.headers());
            }
            Err(self.unusable(name, "it is redirected in a circle".to_owned()))
        })
    }

    fn remote(&self, name: &str, headers: &HeaderMap) -> Result<Remote, Failed> {
        let etag = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"));
        let etag = etag.ok_or_else(|| self.unusable(name, "it has no ETag".to_owned()))?;
        let hash = etag
            .trim_start_matches("W/")
            .trim_matches('"')
            .to_ascii_lowercase();
        if !matches!(hash.len(), 40 | 64) || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.unusable(
                name,
                "its ETag is neither a SHA-256 nor git's hash".to_owned(),
            ));
        }
        let size = header(headers, "x-linked-size").or_else(|| header(headers, "content-length"));
        match size.and_then(|text| text.parse().ok()) {
            Some(size_bytes) => Ok(Remote { hash, size_bytes }),
            None => Err(self.unusable(name, "it has no size".to_owned())),
        }
    }

    /// Makes sure that a file's content is in the cache, and gives it its name.
    pub(super) fn fetch(
        &self,
        cache: &RepoCache,
        commit: &str,
        name: &str,
        remote: &Remote,
        progress: &mut dyn FnMut(HubProgress<'_>),
    ) -> Result<PathBuf, HubError> {
        let blob = cache.blob(&remote.hash);
        let _lock = cache.lock(&remote.hash)?;
        if !blob
            .metadata()
            .is_ok_and(|found| found.len() == remote.size_bytes)
        {
            let partial = cache.partial(&remote.hash);
            let fail = |source| HubError::Io {
                path: partial.clone(),
                source,
            };
            for try_no in 0.. {
                self.download(commit, name, remote, &partial, progress)?;
                let found = hash_of(&partial, &remote.hash).map_err(fail)?;
                if found == remote.hash {
                    break;
                }
                // Wrong from the start or broken on the way: either way not worth keeping.
                remove_if_there(&partial).map_err(fail)?;
                if try_no == 1 {
                    let (id, name, expected) =
                        (self.id.clone(), name.to_owned(), remote.hash.clone());
                    return Err(HubError::Checksum {
                        id,
                        name,
                        expected,
                        found,
                    });
                }
            }
            fs::rename(&partial, &blob).map_err(fail)?;
        }
        cache.link(commit, name, &remote.hash)
    }

    /// Completes a partial file; what is there already is not asked for again.
    fn download(
        &self,
        commit: &str,
        name: &str,
        remote: &Remote,
        partial: &Path,
        progress: &mut dyn FnMut(HubProgress<'_>),
    ) -> Result<(), HubError> {
        let fail = |source| HubError::Io {
            path: partial.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(partial)
            .map_err(fail)?;
        if file.metadata().map_err(fail)?.len() > remote.size_bytes {
            file.set_len(0).map_err(fail)?;
        }
        let url = self.url(commit, name);
        let mut report = |done_bytes| {
            progress(HubProgress {
                file: name,
                done_bytes,
                total_bytes: remote.size_bytes,
            })
        };
        self.retry(name, |got_on| {
            let mut here = file
                .metadata()
                .map_err(|e| Failed::Ours(fail(e).into()))?
                .len();
            report(here);
            if here == remote.size_bytes {
                return Ok(());
            }
            let range = (here > 0).then(|| format!("bytes={here}-"));
            let response = self
                .send(&self.agent, "GET", &url, range.as_deref())
                .map_err(Failed::Network)?;
            let status = response.status().as_u16();
            let continues = header(response.headers(), "content-range")
                .is_some_and(|range| range.starts_with(&format!("bytes {here}-")));
            if status == 416
                || (range.is_some()
                    && !(status == 206 && continues)
                    && response.status().is_success())
            {
                // It cannot go on where we stopped, so from the start; a whole answer is used as it is.
                file.set_len(0).map_err(|e| Failed::Ours(fail(e).into()))?;
                here = 0;
                if status != 200 {
                    return Err(Failed::Again(self.status(name, status).into(), None));
                }
            }
            self.check_status(name, &response)?;
            let mut body = response.into_body().into_reader();
            let mut buffer = vec![0; BUFFER_BYTES];
            loop {
                let n = match body.read(&mut buffer) {
                    Ok(n) => n,
                    Err(e) => return Err(Failed::Network(ureq::Error::Io(e))),
                };
                if n == 0 {
                    break;
                }
                here += n as u64;
                if here > remote.size_bytes {
                    file.set_len(0).map_err(|e| Failed::Ours(fail(e).into()))?;
                    return Err(self.unusable(
                        name,
                        format!("it is longer than {} bytes", remote.size_bytes),
                    ));
                }
                file.write_all(&buffer[..n])
                    .map_err(|e| Failed::Ours(fail(e).into()))?;
                *got_on = true;
                report(here);
            }
            match here == remote.size_bytes {
                true => file.sync_all().map_err(|e| Failed::Ours(fail(e).into())),
                false => Err(Failed::Network(ureq::Error::Io(
                    io::ErrorKind::UnexpectedEof.into(),
                ))),
            }
        })
    }

    fn url(&self, commit: &str, name: &str) -> String {
        // Names come from the hub's list; those that are fetched are plain, but may need escapes.
        let escape = |b: u8| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(b).to_string()
            }
            other => format!("%{other:02X}"),
        };
        let name: String = name.bytes().map(escape).collect();
        format!(
            "{}/{}/resolve/{commit}/{name}",
            self.settings.endpoint, self.id.repo
        )
    }

    fn send(
        &self,
        agent: &Agent,
        method: &str,
        url: &str,
        range: Option<&str>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = if method == "HEAD" {
            agent.head(url)
        } else {
            agent.get(url)
        };
        request = request.header("accept-encoding", "identity");
        if let Some(token) = &self.settings.token {
            request = request.header("authorization", format!("Bearer {}", token.0));
        }
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.call()
    }

    fn status(&self, what: &str, status: u16) -> HubError {
        let (id, what) = (self.id.clone(), what.to_owned());
        match status {
            401 | 403 => HubError::Unauthorized {
                id,
                with_token: self.settings.token.is_some(),
            },
            404 | 410 => HubError::NotFound { id, what },
            status => HubError::Status { id, what, status },
        }
    }

    fn check_status(&self, what: &str, response: &Response<Body>) -> Result<(), Failed> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let error = self.status(what, status.as_u16());
        let wait = header(response.headers(), "retry-after")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        match status.as_u16() {
            408 | 429 | 500 | 502 | 503 | 504 => Err(Failed::Again(error.into(), wait)),
            _ => Err(Failed::Ours(error.into())),
        }
    }

    fn unusable(&self, what: &str, reason: String) -> Failed {
        Failed::Ours(Box::new(HubError::Answer {
            id: self.id.clone(),
            what: what.to_owned(),
            reason,
        }))
    }

    /// Tries until it works, or until it failed too often in a row without getting on.
    fn retry<T>(
        &self,
        what: &str,
        mut attempt: impl FnMut(&mut bool) -> Result<T, Failed>,
    ) -> Result<T, HubError> {
        let mut failures = 0;
        loop {
            let mut got_on = false;
            let (error, wait) = match attempt(&mut got_on) {
                Ok(value) => return Ok(value),
                Err(Failed::Ours(error)) => return Err(*error),
                Err(Failed::Again(error, wait)) => (*error, wait),
                Err(Failed::Network(source)) => {
                    let (id, what, source) = (self.id.clone(), what.to_owned(), Box::new(source));
                    (HubError::Network { id, what, source }, None)
                }
            };
            failures = if got_on { 1 } else { failures + 1 };
            if failures > self.settings.retries {
                return Err(error);
            }
            let backoff = self.settings.retry_wait * (1 << (failures - 1).min(6));
            std::thread::sleep(wait.unwrap_or(backoff).min(Duration::from_secs(60)));
        }
    }
}

/// Why one try failed.
enum Failed {
    /// Another try would fail too.
    Ours(Box<HubError>),
    /// The hub is busy, and may have said for how long.
    Again(Box<HubError>, Option<Duration>),
    /// The way to it is broken.
    Network(ureq::Error),
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
