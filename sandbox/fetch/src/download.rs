//! A file of an address, as `ADD` has it: counted, hashed, and as old as the server says.

use std::fs::File;
use std::io::{Seek, Write};
use std::time::UNIX_EPOCH;

use gradus_image::Digest;
use sha2::{Digest as _, Sha256};
use ureq::http::Uri;

use crate::Owner;
use crate::net::{Ask, Http, NetError, NetLimits, Plain, Reach, header};

/// What may be downloaded, and from where.
#[derive(Clone, Debug)]
pub struct DownloadOptions {
    /// Longest file.
    pub bytes_max: u64,
    /// Times and retries.
    pub limits: NetLimits,
    /// Which servers may be asked.
    pub reach: Reach,
}

/// A file that was downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// What it hashes to.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
    /// When it was last changed, by the server's word: seconds since 1970.
    pub modified_s: Option<i64>,
}

/// Why a file is not downloaded.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum DownloadError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("{server} has no such file: it answers {status}\nhelp: correct the URL")]
    Missing { server: String, status: u16 },
    #[error(
        "{server} sends more than {limit} bytes\nhelp: name a smaller file, or have the limit raised"
    )]
    TooLong { server: String, limit: u64 },
    #[error("{server} sent {found} of {expected} bytes")]
    CutOff {
        server: String,
        expected: u64,
        found: u64,
    },
    #[error("writing what is downloaded failed on this machine")]
    Io(#[source] std::io::Error),
}

impl DownloadError {
    /// Whose fault it is.
    pub fn owner(&self) -> Owner {
        match self {
            DownloadError::Net(error) => error.owner(),
            DownloadError::Missing { .. } | DownloadError::TooLong { .. } => Owner::Submission,
            DownloadError::CutOff { .. } | DownloadError::Io(_) => Owner::Host,
        }
    }
}

/// Downloads `url`, of http or https, into `to`.
///
/// # Errors
/// As [`DownloadError`] says.
pub fn download(
    url: &str,
    to: &mut File,
    options: &DownloadOptions,
) -> Result<Downloaded, DownloadError> {
    let parsed: Uri = url.parse().map_err(|_| NetError::Url {
        url: crate::net::plain_text(url, &[]),
        reason: "it is no URL",
    })?;
    let http = Http::new(&options.limits, &options.reach, Plain::All);
    let mut failures = 0;
    loop {
        let error = match attempt(&http, &parsed, to, options.bytes_max) {
            Err(error) => error,
            Ok(downloaded) => return Ok(downloaded),
        };
        let may_pass = match &error {
            DownloadError::Net(error) => error.may_pass(),
            DownloadError::CutOff { .. } => true,
            _ => false,
        };
        if !may_pass || failures >= options.limits.retries {
            return Err(error);
        }
        failures += 1;
        http.wait(failures, None)?;
    }
}

fn attempt(http: &Http, url: &Uri, to: &mut File, limit: u64) -> Result<Downloaded, DownloadError> {
    const WHAT: &str = "a file";
    to.set_len(0)
        .and_then(|()| to.rewind())
        .map_err(DownloadError::Io)?;
    let mut answer = http.send(&Ask {
        what: WHAT,
        url,
        headers: &[],
        authorization: None,
        body: None,
    })?;
    let server = answer.server.clone();
    match answer.status {
        200 => {}
        status @ (401 | 403 | 404 | 410) => return Err(DownloadError::Missing { server, status }),
        status => {
            return Err(NetError::Status {
                server,
                what: WHAT.to_owned(),
                status,
            }
            .into());
        }
    }
    let expected = header(&answer.headers, "content-length").and_then(|text| text.parse().ok());
    if expected.is_some_and(|expected: u64| expected > limit) {
        return Err(DownloadError::TooLong { server, limit });
    }
    let modified = header(&answer.headers, "last-modified")
        .and_then(|text| httpdate::parse_http_date(text).ok())
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut pace = http.pace();
    let mut hash = Sha256::new();
    let mut bytes = 0u64;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = answer.read(&mut buffer, &mut pace, WHAT)?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        if bytes > limit {
            return Err(DownloadError::TooLong { server, limit });
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(DownloadError::Io)?;
    }
    if let Some(expected) = expected.filter(|expected| *expected != bytes) {
        return Err(DownloadError::CutOff {
            server,
            expected,
            found: bytes,
        });
    }
    Ok(Downloaded {
        digest: Digest::from_bytes(hash.finalize().into()),
        bytes,
        modified_s: modified.and_then(|since| i64::try_from(since.as_secs()).ok()),
    })
}
