//! What a job asks for: the head of a request to a proxy.

use crate::policy::Host;

/// Bytes of a head at most.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 128;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// a way for bytes to a host: `CONNECT`
    Tunnel {
        /// where
        host: Host,
        /// its port
        port: u16,
    },
    /// one request, to be passed on
    Forward(Forward),
}

/// A request that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// where
    pub host: Host,
    /// its port
    pub port: u16,
    /// the method
    pub method: String,
    /// the whole address, as it goes on record: without a name and password
    pub url: String,
    /// the head to be sent
    pub head: Vec<u8>,
    /// bytes of its body
    pub body: u64,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHeadError {
    /// not HTTP/1.1
    #[error("not a request of HTTP/1.1 to a proxy")]
    Malformed,
    /// too long
    #[error("a head of more than {HEAD_BYTES_MAX} bytes or {HEADERS_MAX} headers")]
    TooLong,
    /// asked of a proxy as of a server
    #[error("an absolute address is expected: http://HOST/PATH, or CONNECT HOST:PORT")]
    NoHost,
    /// another scheme
    #[error("only http:// is passed on; all else goes through CONNECT")]
    Scheme,
    /// a body whose end is not known
    #[error("a body needs one Content-Length")]
    Length,
}

/// Headers that are between a client and its proxy, or that this proxy sets.
const OWN: [&str; 9] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// Reads a head from the beginning of `bytes`: the request, and how many bytes it took. None if more is to come.
pub fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, ParseHeadError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let within = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let length = match request.parse(within) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() >= HEAD_BYTES_MAX => {
            return Err(ParseHeadError::TooLong);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(ParseHeadError::TooLong),
        Err(_) => return Err(ParseHeadError::Malformed),
    };
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(ParseHeadError::Malformed);
    };
    let request = if method == "CONNECT" {
        let (host, port) = authority(target, None)?;
        Request::Tunnel { host, port }
    } else {
        Request::Forward(forward(method, target, request.headers)?)
    };
    Ok(Some((request, length)))
}

fn forward(
    method: &str,
    target: &str,
    headers: &[httparse::Header<'_>],
) -> Result<Forward, ParseHeadError> {
    if target.starts_with('/') || target == "*" {
        return Err(ParseHeadError::NoHost);
    }
    let (scheme, rest) = target.split_once("://").ok_or(ParseHeadError::NoHost)?;
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(ParseHeadError::Scheme);
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (before, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or_default();
    // A name and password before the host are the job's affair, but go nowhere from here.
    let place = before.rsplit('@').next().unwrap_or_default();
    let (host, port) = authority(place, Some(80))?;
    let shown = if port == 80 {
        host.to_string()
    } else {
        format!("{host}:{port}")
    };
    let slash = if path.starts_with('/') { "" } else { "/" };
    // HTTP/1.1, so that the host is named and an end that is cut off is seen; one request a connection, so that each is judged.
    let mut head =
        format!("{method} {slash}{path} HTTP/1.1\r\nHost: {shown}\r\nConnection: close\r\n")
            .into_bytes();
    let mut body = None;
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("transfer-encoding") {
            return Err(ParseHeadError::Length);
        }
        if is("content-length") {
            let digits = std::str::from_utf8(header.value).ok();
            let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|text| text.parse::<u64>().ok());
            // Two of them, even with one meaning, are a way to be read differently by two servers.
            if length.is_none() || body.is_some() {
                return Err(ParseHeadError::Length);
            }
            body = length;
        }
        if OWN.iter().any(|own| is(own)) {
            continue;
        }
        head.extend_from_slice(header.name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(header.value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    Ok(Forward {
        url: format!("http://{shown}{slash}{path}"),
        host,
        port,
        method: method.to_owned(),
        head,
        body: body.unwrap_or(0),
    })
}

/// `HOST:PORT`; the port may be missing where there is a `default`.
fn authority(text: &str, default: Option<u16>) -> Result<(Host, u16), ParseHeadError> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let port = port.parse().ok().filter(|port| *port != 0);
            (host, port.ok_or(ParseHeadError::NoHost)?)
        }
        _ => (text, default.ok_or(ParseHeadError::NoHost)?),
    };
    let host = host.parse().map_err(|_| ParseHeadError::NoHost)?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Request, ParseHeadError> {
        let (request, length) = parse(text.as_bytes())?.expect("a whole head");
        assert_eq!(length, text.find("\r\n\r\n").unwrap() + 4);
        Ok(request)
    }

    fn forwarded(text: &str) -> Forward {
        match parsed(text) {
            Ok(Request::Forward(forward)) => forward,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_tunnel_is_asked_for_by_name_and_port() {
        let tunnel = |text: &str, port| {
            Ok(Request::Tunnel {
                host: text.parse().unwrap(),
                port,
            })
        };
        assert_eq!(
            parsed("CONNECT A.org:443 HTTP/1.1\r\nHost: a.org:443\r\n\r\nmore"),
            tunnel("a.org", 443)
        );
        assert_eq!(
            parsed("CONNECT [2001:db8::1]:8443 HTTP/1.0\r\n\r\n"),
            tunnel("[2001:db8::1]", 8443)
        );
        for wrong in [
            "a.org",
            "a.org:",
            "a.org:0",
            "a.org:x",
            "http://a.org:443",
            "/",
            "u@a.org:443",
        ] {
            let head = format!("CONNECT {wrong} HTTP/1.1\r\n\r\n");
            assert_eq!(parsed(&head), Err(ParseHeadError::NoHost), "{wrong}");
        }
    }

    #[test]
    fn a_request_is_passed_on_with_headers_that_are_the_clients() {
        let forward = forwarded(
            "GET http://user:secret@A.org:8080/x?y=1#z HTTP/1.1\r\nHost: evil.org\r\nConnection: keep-alive, X-Y\r\nProxy-Authorization: Basic x\r\nRange: bytes=5-\r\nUser-Agent: u\r\n\r\n",
        );
        assert_eq!(
            String::from_utf8(forward.head).unwrap(),
            "GET /x?y=1 HTTP/1.1\r\nHost: a.org:8080\r\nConnection: close\r\nRange: bytes=5-\r\nUser-Agent: u\r\n\r\n"
        );
        assert_eq!(
            (forward.url.as_str(), forward.body),
            ("http://a.org:8080/x?y=1", 0)
        );
        assert_eq!(
            forwarded("GET http://a.org HTTP/1.1\r\n\r\n").url,
            "http://a.org/"
        );
        assert_eq!(
            forwarded("GET HTTP://a.org?q HTTP/1.1\r\n\r\n").url,
            "http://a.org/?q"
        );
        assert_eq!(
            forwarded("PUT http://a.org/ HTTP/1.1\r\nContent-Length: 7\r\n\r\n").body,
            7
        );
    }

    /// Each is how requests have been smuggled past a proxy, or what this one does not do.
    #[test]
    fn what_two_servers_may_read_differently_is_refused() {
        for (head, error) in [
            (
                "POST http://a/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
                ParseHeadError::Length,
            ),
            (
                "POST http://a/ HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
                ParseHeadError::Length,
            ),
            (
                "POST http://a/ HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
                ParseHeadError::Length,
            ),
            (
                "POST http://a/ HTTP/1.1\r\nContent-Length: \r\n\r\n",
                ParseHeadError::Length,
            ),
            (
                "POST http://a/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                ParseHeadError::Length,
            ),
            (
                "POST http://a/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding : x\r\n\r\n",
                ParseHeadError::Malformed,
            ),
            (
                "GET http://a/ HTTP/1.1\r\n folded: x\r\n\r\n",
                ParseHeadError::Malformed,
            ),
            ("GET http://a/ HTTP/2.0\r\n\r\n", ParseHeadError::Malformed),
            (
                "GET / HTTP/1.1\r\nHost: a.org\r\n\r\n",
                ParseHeadError::NoHost,
            ),
            ("OPTIONS * HTTP/1.1\r\n\r\n", ParseHeadError::NoHost),
            (
                "GET https://a.org/ HTTP/1.1\r\n\r\n",
                ParseHeadError::Scheme,
            ),
            ("GET ftp://a.org/ HTTP/1.1\r\n\r\n", ParseHeadError::Scheme),
            ("GET http://127.1/ HTTP/1.1\r\n\r\n", ParseHeadError::NoHost),
        ] {
            assert_eq!(parsed(head), Err(error), "{head:?}");
        }
    }

    #[test]
    fn a_head_ends_or_is_too_long() {
        let head = b"GET http://a.org/ HTTP/1.1\r\nA: b\r\n\r\n";
        for length in 0..head.len() {
            assert_eq!(parse(&head[..length]), Ok(None), "{length}");
        }
        let endless = [
            b"GET http://a.org/ HTTP/1.1\r\nA: ".to_vec(),
            vec![b'a'; HEAD_BYTES_MAX],
        ]
        .concat();
        assert_eq!(parse(&endless), Err(ParseHeadError::TooLong));
        let many = format!(
            "GET http://a.org/ HTTP/1.1\r\n{}\r\n",
            "A: b\r\n".repeat(HEADERS_MAX + 1)
        );
        assert_eq!(parse(many.as_bytes()), Err(ParseHeadError::TooLong));
    }
}
