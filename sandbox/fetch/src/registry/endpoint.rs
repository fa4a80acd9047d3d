//! One registry or mirror: requests, and the tokens that they need.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::http::Uri;

use super::challenge::{Challenge, parse_challenges, parse_token};
use super::credentials::Login;
use super::error::PullError;
use crate::net::{Answer, Ask, Http, NetError, Secret, header, plain_text};

/// Longest answer of a token server.
const TOKEN_ANSWER_BYTES_MAX: u64 = 256 << 10;

/// A server that may have a repository.
#[derive(Debug)]
pub(super) struct Endpoint<'a> {
    pub(super) http: &'a Http,
    /// `https://host:port`, perhaps with a path; without a slash at its end.
    pub(super) base: String,
    /// For messages.
    pub(super) server: String,
    pub(super) repository: &'a str,
    pub(super) login: Option<&'a Login>,
    /// What the last proof was.
    authorization: Mutex<Option<Secret>>,
}

/// One question to an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// For messages.
    pub(super) what: &'a str,
    /// Below the repository, such as `manifests/latest`.
    pub(super) path: &'a str,
    pub(super) accept: Option<&'a str>,
    pub(super) range: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    pub(super) fn new(
        http: &'a Http,
        base: String,
        server: String,
        repository: &'a str,
        login: Option<&'a Login>,
    ) -> Endpoint<'a> {
        Endpoint {
            http,
            base,
            server,
            repository,
            login,
            authorization: Mutex::new(None),
        }
    }

    /// Asks, proves who asks if that is wanted, and asks again: once. The answer's status is one of success.
    pub(super) fn get(&self, question: &Question<'_>) -> Result<Answer, PullError> {
        let authorization = self.authorization();
        let answer = self.ask(question, authorization.as_ref())?;
        if answer.status != 401 {
            return self.check(question, answer);
        }
        let proof = self.prove(question, &answer)?;
        *self.lock() = Some(proof.clone());
        let answer = self.ask(question, Some(&proof))?;
        self.check(question, answer)
    }

    /// As [`Endpoint::get`], tried again while that may help.
    pub(super) fn get_patiently(&self, question: &Question<'_>) -> Result<Answer, PullError> {
        let mut failures = 0;
        loop {
            match self.get(question) {
                Err(PullError::Net(e)) if e.may_pass() && failures < self.http.limits().retries => {
                    failures += 1;
                    self.http.wait(failures, None)?;
                }
                other => return other,
            }
        }
    }

    fn ask(&self, question: &Question<'_>, proof: Option<&Secret>) -> Result<Answer, PullError> {
        let text = format!("{}/v2/{}/{}", self.base, self.repository, question.path);
        let url = text.parse::<Uri>().map_err(|_| NetError::Url {
            url: plain_text(&text, &[]),
            reason: "it is no URL",
        })?;
        let mut headers = Vec::new();
        headers.extend(question.accept.map(|value| ("accept", value)));
        headers.extend(question.range.map(|value| ("range", value)));
        Ok(self.http.send(&Ask {
            what: question.what,
            url: &url,
            headers: &headers,
            authorization: proof,
            body: None,
        })?)
    }

    fn check(&self, question: &Question<'_>, answer: Answer) -> Result<Answer, PullError> {
        let (server, what) = (answer.server.clone(), question.what.to_owned());
        match answer.status {
            200 | 206 => Ok(answer),
            401 | 403 => Err(PullError::Denied {
                server,
                what,
                with_login: self.login.is_some(),
            }),
            404 | 410 => Err(PullError::NotFound { server, what }),
            status => {
                let said = header(&answer.headers, "retry-after")
                    .and_then(|text| text.parse().ok())
                    .map(Duration::from_secs);
                if let (429 | 503, Some(_)) = (status, said) {
                    self.http.wait(1, said)?;
                }
                Err(PullError::Net(NetError::Status {
                    server,
                    what,
                    status,
                }))
            }
        }
    }

    /// What an answer of 401 asks for.
    fn prove(&self, question: &Question<'_>, answer: &Answer) -> Result<Secret, PullError> {
        let asked: Vec<&str> = answer
            .headers
            .get_all("www-authenticate")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let known: Vec<Challenge> = asked
            .iter()
            .flat_map(|text| parse_challenges(text))
            .collect();
        let bearer = known
            .iter()
            .find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        match (bearer.or(known.first()), self.login) {
            (
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                }),
                _,
            ) => self.token(realm, service.as_deref(), scope.as_deref()),
            (Some(Challenge::Basic), Some(login)) => {
                Ok(Secret::basic(&login.user, &login.password))
            }
            (Some(Challenge::Basic), None) => Err(PullError::Denied {
                server: answer.server.clone(),
                what: question.what.to_owned(),
                with_login: false,
            }),
            (None, _) => Err(PullError::Challenge {
                server: answer.server.clone(),
                asked: plain_text(&asked.join(", "), &[]),
            }),
        }
    }

    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Secret, PullError> {
        let failed = |reason| PullError::Token {
            server: self.server.clone(),
            realm: plain_text(realm.split('?').next().unwrap_or_default(), &[]),
            reason,
        };
        let default_scope = format!("repository:{}:pull", self.repository);
        let mut url = realm.to_owned();
        let parameters = [
            ("service", service),
            ("scope", Some(scope.unwrap_or(&default_scope))),
        ];
        for (name, value) in parameters {
            let Some(value) = value else { continue };
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{name}={}", percent_encoded(value)));
        }
        let url: Uri = url.parse().map_err(|_| failed("it is no URL"))?;
        if url.authority().is_none_or(|a| a.as_str().contains('@')) {
            return Err(failed("it names no server, or a user"));
        }
        let basic = self
            .login
            .map(|login| Secret::basic(&login.user, &login.password));
        let what = "a token";
        let answer = self.http.send(&Ask {
            what,
            url: &url,
            headers: &[],
            authorization: basic.as_ref(),
            body: None,
        })?;
        match answer.status {
            200 => {}
            401 | 403 => {
                return Err(PullError::Denied {
                    server: answer.server.clone(),
                    what: format!("a token for {}", self.repository),
                    with_login: basic.is_some(),
                });
            }
            status => {
                return Err(PullError::Net(NetError::Status {
                    server: answer.server.clone(),
                    what: what.to_owned(),
                    status,
                }));
            }
        }
        let json = answer.document(TOKEN_ANSWER_BYTES_MAX, &mut self.http.pace(), what)?;
        let token = parse_token(&json).ok_or_else(|| failed("the answer has no token"))?;
        Ok(Secret::bearer(&token))
    }

    fn authorization(&self) -> Option<Secret> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Secret>> {
        self.authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(b).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
