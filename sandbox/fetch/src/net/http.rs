//! Requests and redirects.

use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::uri::{Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderMap, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{Connector as _, DefaultConnector, RustlsConnector};

use super::address::{Filter, PrivateAddress};
use super::door::{DoorConnector, DoorError};
use super::{Answer, NetError, NetLimits, Pace, Reach, Secret};

/// Redirects that are followed.
const REDIRECTS_MAX: u32 = 5;
/// Longest headers of an answer.
const HEADER_BYTES_MAX: usize = 32 << 10;

/// Servers, as one pull or fetch asks them.
#[derive(Debug)]
pub(crate) struct Http {
    limits: NetLimits,
    reach: Reach,
    plain: Plain,
    started: Instant,
    agent: Agent,
    /// For this machine itself, which no proxy is asked for.
    direct: Agent,
}

/// Which servers may be asked without encryption.
#[derive(Clone, Debug)]
pub(crate) enum Plain {
    /// these, as `host:port`
    These(Vec<String>),
    /// all that may be reached
    All,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    /// What the answer is, for messages.
    pub(crate) what: &'a str,
    pub(crate) url: &'a Uri,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// Sent to the server of `url`, and to no other.
    pub(crate) authorization: Option<&'a Secret>,
    /// Type and content; none for a GET.
    pub(crate) body: Option<(&'static str, &'a [u8])>,
}

impl Http {
    pub(crate) fn new(limits: &NetLimits, reach: &Reach, plain: Plain) -> Http {
        let agent = |direct: bool| -> Agent {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .max_response_header_size(HEADER_BYTES_MAX)
                .timeout_resolve(Some(limits.connect))
                .timeout_connect(Some(limits.connect))
                .timeout_recv_response(Some(limits.answer))
                .timeout_per_read(Some(limits.stall))
                .timeout_per_write(Some(limits.stall))
                .timeout_send_body(Some(limits.answer))
                .tls_config(
                    TlsConfig::builder()
                        .root_certs(reach.authorities().roots())
                        .build(),
                )
                .user_agent(concat!("gradus/", env!("CARGO_PKG_VERSION")));
            let filter = Filter {
                reach: reach.clone(),
            };
            match reach.door() {
                Some(door) => Agent::with_parts(
                    config.proxy(None).build(),
                    DoorConnector(door.clone()).chain(RustlsConnector::default()),
                    filter,
                ),
                None => {
                    let config = if direct { config.proxy(None) } else { config };
                    Agent::with_parts(config.build(), DefaultConnector::default(), filter)
                }
            }
        };
        Http {
            limits: limits.clone(),
            reach: reach.clone(),
            plain,
            started: Instant::now(),
            agent: agent(false),
            direct: agent(true),
        }
    }

    pub(crate) fn limits(&self) -> &NetLimits {
        &self.limits
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace::new(&self.limits, self.started)
    }

    /// Sends a request, and follows redirects: credentials stay with the server that they are for.
    pub(crate) fn send(&self, ask: &Ask<'_>) -> Result<Answer, NetError> {
        let mut url = ask.url.clone();
        let first = server_of(&url)?;
        for _ in 0..=REDIRECTS_MAX {
            self.check(&url)?;
            let server = server_of(&url)?;
            let is_first = server == first && url.scheme() == ask.url.scheme();
            let response = self
                .call(ask, &url, is_first)
                .map_err(|e| network(&server, ask.what, e, &self.pace()))?;
            let status = response.status().as_u16();
            let location = header(response.headers(), "location").map(str::to_owned);
            if let (301 | 302 | 303 | 307 | 308, Some(to)) = (status, location) {
                url = self.redirected(&url, &server, &to)?;
                continue;
            }
            let (parts, body) = response.into_parts();
            return Ok(Answer {
                status,
                headers: parts.headers,
                url,
                server,
                body: body.into_reader(),
            });
        }
        Err(NetError::Redirects {
            server: first,
            limit: REDIRECTS_MAX,
        })
    }

    fn call(
        &self,
        ask: &Ask<'_>,
        url: &Uri,
        is_first: bool,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        if self.pace().left().is_zero() {
            return Err(ureq::Error::Timeout(ureq::Timeout::Global));
        }
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let agent = if is_loopback(host) || self.reach.trusts(host, port_of(url)) {
            &self.direct
        } else {
            &self.agent
        };
        let mut headers: Vec<(&str, &str)> = vec![("accept-encoding", "identity")];
        headers.extend(ask.headers);
        if let (true, Some(secret)) = (is_first, ask.authorization) {
            headers.push(("authorization", secret.expose()));
        }
        match ask.body {
            None => {
                let mut request = agent.get(url);
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                request.call()
            }
            Some((kind, body)) => {
                let mut request = agent.post(url).header("content-type", kind);
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                request.send(body)
            }
        }
    }

    /// https, or a server that may do without.
    fn check(&self, url: &Uri) -> Result<(), NetError> {
        let server = server_of(url)?;
        match url.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if self.plain.has(&server) => Ok(()),
            _ => Err(NetError::Plain { server }),
        }
    }

    fn redirected(&self, from: &Uri, server: &str, to: &str) -> Result<Uri, NetError> {
        let wrong = |reason| NetError::Redirect {
            server: server.to_owned(),
            to: plain_text(to.split(['?', '#']).next().unwrap_or_default(), &[]),
            reason,
        };
        let mut parts = from.clone().into_parts();
        let to_uri = if to.starts_with('/') && !to.starts_with("//") {
            parts.path_and_query =
                Some(PathAndQuery::try_from(to).map_err(|_| wrong("it is no path"))?);
            Uri::from_parts(parts).map_err(|_| wrong("it is no path"))?
        } else {
            to.parse::<Uri>().map_err(|_| wrong("it is no URL"))?
        };
        if to_uri.authority().is_none_or(|a| a.as_str().contains('@')) {
            return Err(wrong("it names no server, or a user"));
        }
        if from.scheme() == Some(&Scheme::HTTPS) && to_uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(wrong("it gives up encryption"));
        }
        Ok(to_uri)
    }

    /// Waits before try number `failures`, as long as the server says or twice as long each time; not past the end of all.
    pub(crate) fn wait(&self, failures: u32, said: Option<Duration>) -> Result<(), NetError> {
        let backoff = self.limits.retry_wait * (1 << failures.saturating_sub(1).min(6));
        let wait = said.unwrap_or(backoff).min(Duration::from_secs(30));
        if wait >= self.pace().left() {
            return Err(NetError::Total {
                total: self.limits.total,
            });
        }
        std::thread::sleep(wait);
        Ok(())
    }
}

impl Plain {
    fn has(&self, server: &str) -> bool {
        match self {
            Plain::These(all) => all.iter().any(|one| one.eq_ignore_ascii_case(server)),
            Plain::All => true,
        }
    }
}

/// What a failure of the transport means.
pub(super) fn network(server: &str, what: &str, source: ureq::Error, pace: &Pace) -> NetError {
    let stalled = |seconds: Duration| NetError::Stalled {
        server: server.to_owned(),
        what: what.to_owned(),
        bytes: 0,
        seconds: seconds.as_secs(),
    };
    match source {
        _ if pace.left().is_zero() => NetError::Total {
            total: pace.total(),
        },
        ureq::Error::Other(inner) if inner.is::<PrivateAddress>() => {
            let private = inner
                .downcast::<PrivateAddress>()
                .expect("its type was just asked for");
            NetError::Private {
                server: server.to_owned(),
                address: private.address,
            }
        }
        ureq::Error::Other(inner) if inner.is::<DoorError>() => NetError::Refused {
            server: server.to_owned(),
            why: inner.to_string(),
        },
        ureq::Error::Timeout(ureq::Timeout::RecvBody | ureq::Timeout::PerRead) => {
            stalled(pace.stall())
        }
        source => match certificate(&source) {
            Some(source) => super::error::no_certificate(server, source),
            None => NetError::Network {
                server: server.to_owned(),
                what: what.to_owned(),
                source: Box::new(source),
            },
        },
    }
}

/// What is wrong with a server's certificate, if that is what failed.
fn certificate(error: &ureq::Error) -> Option<rustls::Error> {
    let inner = match error {
        ureq::Error::Rustls(inner) => inner,
        ureq::Error::Io(io) => io.get_ref()?.downcast_ref::<rustls::Error>()?,
        _ => return None,
    };
    matches!(inner, rustls::Error::InvalidCertificate(_)).then(|| inner.clone())
}

/// Host and port of a URL, as a [`Door`](super::door::Door) is asked for them.
///
/// # Errors
/// It names no server.
pub fn host_and_port(url: &str) -> Result<(String, u16), NetError> {
    let wrong = |reason| NetError::Url {
        url: plain_text(url, &[]),
        reason,
    };
    let url: Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
    match url.host() {
        Some(host) if !host.is_empty() => Ok((host.to_owned(), port_of(&url))),
        _ => Err(wrong("it names no server")),
    }
}

/// `host:port` of a URL.
pub(crate) fn server_of(url: &Uri) -> Result<String, NetError> {
    match url.authority().map(Authority::host) {
        Some(host) if !host.is_empty() => {
            Ok(format!("{}:{}", host.to_ascii_lowercase(), port_of(url)))
        }
        _ => Err(NetError::Url {
            url: plain_text(url.path(), &[]),
            reason: "it names no server",
        }),
    }
}

pub(super) fn port_of(url: &Uri) -> u16 {
    let default = if url.scheme() == Some(&Scheme::HTTP) {
        80
    } else {
        443
    };
    url.port_u16().unwrap_or(default)
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// A header's value, if it is text.
pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// What a server says, so that it can be shown: one short line without control characters, and without any of our secrets.
pub(crate) fn plain_text(text: &str, secrets: &[&Secret]) -> String {
    if secrets.iter().any(|secret| secret.is_in(text)) {
        return "(not shown: it repeats a secret)".to_owned();
    }
    text.trim()
        .chars()
        .take(200)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
