//! One question to a git server over HTTP, by version 2 of its protocol: what it can, then one commit without history.

use std::io::{self, BufReader, Read};

use ureq::http::Uri;
use ureq::http::uri::PathAndQuery;

use super::error::FetchError;
use super::id::{Algorithm, ObjectId};
use super::packet::{self, Packet};
use crate::net::{Answer, Ask, Http, NetError, Pace, Secret, plain_text};

/// Packets of an advertisement, and between its beginning and the pack.
const PACKETS_MAX: u32 = 4096;
const WHAT: &str = "the repository";
const SERVICE: &str = "/info/refs?service=git-upload-pack";

/// A repository on a server.
pub(super) struct Remote<'a> {
    pub(super) http: &'a Http,
    pub(super) url: Uri,
    pub(super) token: Option<&'a Secret>,
    /// The header that the token is sent in.
    authorization: Option<Secret>,
}

impl<'a> Remote<'a> {
    pub(super) fn new(http: &'a Http, url: Uri, token: Option<&'a Secret>) -> Remote<'a> {
        Remote {
            http,
            url,
            token,
            // Any name goes with a token, on all servers that have tokens.
            authorization: token.map(|token| Secret::basic("x-access-token", token)),
        }
    }

    /// Asks for a commit; returns the bytes of the pack that has it, as they come.
    pub(super) fn fetch(&mut self, commit: &ObjectId) -> Result<PackStream, FetchError> {
        let has_format = self.capabilities(commit.algorithm())?;
        let mut body = Vec::new();
        packet::write(&mut body, "command=fetch");
        packet::write(
            &mut body,
            concat!("agent=gradus/", env!("CARGO_PKG_VERSION")),
        );
        if has_format {
            packet::write(
                &mut body,
                &format!("object-format={}", commit.algorithm().name()),
            );
        }
        body.extend_from_slice(b"0001");
        packet::write(&mut body, "no-progress");
        packet::write(&mut body, "ofs-delta");
        packet::write(&mut body, "deepen 1");
        packet::write(&mut body, &format!("want {commit}"));
        packet::write(&mut body, "done");
        body.extend_from_slice(b"0000");
        let url = self.below("/git-upload-pack")?;
        let answer = self.ask(
            &url,
            &[("accept", "application/x-git-upload-pack-result")],
            Some(("application/x-git-upload-pack-request", &body)),
        )?;
        let mut input = self.reader(answer);
        self.skip_to_pack(&mut input, commit)?;
        Ok(PackStream {
            input,
            part: Vec::new(),
            ended: false,
            secrets: self.secrets(),
        })
    }

    /// Whether the server says which hash its ids have; an error where it is another one, or where it cannot do what is needed.
    fn capabilities(&mut self, algorithm: Algorithm) -> Result<bool, FetchError> {
        let url = self.below(SERVICE)?;
        let answer = self.ask(&url, &[], None)?;
        self.adopt(&answer.url);
        let server = answer.server.clone();
        let mut input = self.reader(answer);
        let protocol = |reason| FetchError::Protocol {
            server: server.clone(),
            reason,
        };
        let (mut version, mut shallow, mut format) = (false, false, None);
        for _ in 0..PACKETS_MAX {
            let line = match input.packet()? {
                // An announcement of the service may come before.
                Some(Packet::Flush) if !version => continue,
                Some(Packet::Data(line)) => line,
                _ => {
                    let found = format.as_deref().unwrap_or(Algorithm::Sha1.name());
                    return match (version, shallow) {
                        (false, _) => Err(protocol("it offers no version 2")),
                        (true, false) => Err(protocol("it has no shallow fetch")),
                        (true, true) if found != algorithm.name() => Err(FetchError::Format {
                            server: server.clone(),
                            asked: algorithm.name(),
                            found: plain_text(found, &[]),
                        }),
                        (true, true) => Ok(format.is_some()),
                    };
                }
            };
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\n');
            version |= line == "version 2";
            if let Some(features) = line.strip_prefix("fetch=") {
                shallow |= features.split(' ').any(|feature| feature == "shallow");
            }
            if let Some(found) = line.strip_prefix("object-format=") {
                format = Some(found.to_owned());
            }
            if !version && !line.starts_with("# service=") {
                return Err(protocol("it offers no version 2"));
            }
        }
        Err(protocol("what it can do has no end"))
    }

    fn skip_to_pack(&self, input: &mut PacketReader, commit: &ObjectId) -> Result<(), FetchError> {
        let server = input.server().to_owned();
        let protocol = |reason| FetchError::Protocol {
            server: server.clone(),
            reason,
        };
        for _ in 0..PACKETS_MAX {
            match input.packet()? {
                Some(Packet::Data(line)) if line == b"packfile\n" => return Ok(()),
                Some(Packet::Data(line)) => {
                    if let Some(said) = line.strip_prefix(b"ERR ") {
                        let said = String::from_utf8_lossy(said);
                        return Err(match said.contains("not our ref") {
                            true => FetchError::NoCommit {
                                server,
                                commit: *commit,
                            },
                            false => FetchError::Said {
                                server,
                                said: plain_text(&said, &self.secret_refs()),
                            },
                        });
                    }
                }
                Some(Packet::Delimiter) => {}
                Some(Packet::Flush | Packet::End) | None => {
                    return Err(protocol("it sends no pack"));
                }
            }
        }
        Err(protocol("what comes before the pack has no end"))
    }

    fn ask(
        &self,
        url: &Uri,
        headers: &[(&'static str, &str)],
        body: Option<(&'static str, &[u8])>,
    ) -> Result<Answer, FetchError> {
        let mut all = vec![("git-protocol", "version=2")];
        all.extend(headers);
        let answer = self.http.send(&Ask {
            what: WHAT,
            url,
            headers: &all,
            authorization: self.authorization.as_ref(),
            body,
        })?;
        let (server, with_token) = (answer.server.clone(), self.token.is_some());
        match answer.status {
            200 => Ok(answer),
            401 | 403 => Err(FetchError::Denied { server, with_token }),
            404 | 410 => Err(FetchError::NotFound { server, with_token }),
            status => Err(FetchError::Net(NetError::Status {
                server,
                what: WHAT.to_owned(),
                status,
            })),
        }
    }

    /// A repository that was renamed is asked where it is now: on the same server, as the token is for that one.
    fn adopt(&mut self, found: &Uri) {
        let is_same =
            found.scheme() == self.url.scheme() && found.authority() == self.url.authority();
        let path = found.path_and_query().map(PathAndQuery::as_str);
        if let (true, Some(path)) = (is_same, path.and_then(|path| path.strip_suffix(SERVICE))) {
            let mut parts = self.url.clone().into_parts();
            parts.path_and_query = PathAndQuery::try_from(path).ok();
            if let Ok(url) = Uri::from_parts(parts) {
                self.url = url;
            }
        }
    }

    fn below(&self, path: &str) -> Result<Uri, FetchError> {
        let base = self.url.to_string();
        format!("{}{path}", base.trim_end_matches('/'))
            .parse()
            .map_err(|_| FetchError::Url {
                reason: "is no URL",
            })
    }

    fn reader(&self, answer: Answer) -> PacketReader {
        PacketReader(BufReader::with_capacity(
            64 << 10,
            Body {
                answer,
                pace: self.http.pace(),
            },
        ))
    }

    fn secrets(&self) -> Vec<Secret> {
        self.secret_refs().into_iter().cloned().collect()
    }

    fn secret_refs(&self) -> Vec<&Secret> {
        self.token.into_iter().chain(&self.authorization).collect()
    }
}

/// An answer as a reader; what failed below is inside the error.
struct Body {
    answer: Answer,
    pace: Pace,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answer
            .read(buffer, &mut self.pace, WHAT)
            .map_err(io::Error::other)
    }
}

/// An answer's packets.
struct PacketReader(BufReader<Body>);

impl PacketReader {
    fn packet(&mut self) -> Result<Option<Packet>, FetchError> {
        packet::read(&mut self.0).map_err(|e| {
            let server = self.server().to_owned();
            match e.downcast::<NetError>() {
                Ok(inner) => FetchError::Net(inner),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    FetchError::Net(NetError::Network {
                        server,
                        what: WHAT.to_owned(),
                        source: Box::new(ureq::Error::Io(e)),
                    })
                }
                Err(_) => FetchError::Protocol {
                    server,
                    reason: "its packets have no length",
                },
            }
        })
    }

    fn server(&self) -> &str {
        &self.0.get_ref().answer.server
    }
}

/// A pack's bytes, taken out of what else is said beside it.
pub(super) struct PackStream {
    input: PacketReader,
    part: Vec<u8>,
    ended: bool,
    secrets: Vec<Secret>,
}

impl PackStream {
    pub(super) fn server(&self) -> &str {
        self.input.server()
    }

    /// The next bytes; none at the end.
    pub(super) fn next(&mut self) -> Result<&[u8], FetchError> {
        const PACK: u8 = 1;
        const PROGRESS: u8 = 2;
        const FAILURE: u8 = 3;
        while !self.ended {
            let packet = self.input.packet()?;
            let protocol = |reason| FetchError::Protocol {
                server: self.input.server().to_owned(),
                reason,
            };
            match packet {
                Some(Packet::Flush) => self.ended = true,
                Some(Packet::Data(data)) => match data.first() {
                    Some(&PACK) if data.len() > 1 => {
                        self.part = data;
                        return Ok(&self.part[1..]);
                    }
                    // An empty part says that the server is still there.
                    Some(&(PACK | PROGRESS)) => {}
                    Some(&FAILURE) => {
                        let secrets: Vec<&Secret> = self.secrets.iter().collect();
                        return Err(FetchError::Said {
                            server: self.input.server().to_owned(),
                            said: plain_text(&String::from_utf8_lossy(&data[1..]), &secrets),
                        });
                    }
                    _ => return Err(protocol("a part of the pack is on no known channel")),
                },
                Some(Packet::Delimiter | Packet::End) => {
                    return Err(protocol("the pack is cut in two"));
                }
                None => {
                    return Err(FetchError::Net(NetError::Network {
                        server: self.input.server().to_owned(),
                        what: WHAT.to_owned(),
                        source: Box::new(ureq::Error::Io(io::ErrorKind::UnexpectedEof.into())),
                    }));
                }
            }
        }
        Ok(&[])
    }
}
