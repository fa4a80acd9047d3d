//! The name that a client asks a server for, in the open part of its first message.
//!
//! A tunnel to a host that is allowed may lead to a machine that serves many hosts: which one answers is said by the client in its first
//! message (RFC 8446 §4.1.2, RFC 6066 §3). So that message has to name the host that the tunnel was asked for.

/// Bytes of a first message at most: larger ones are not made by any client.
pub const HELLO_BYTES_MAX: usize = 32 << 10;
const RECORD_BYTES_MAX: usize = 1 << 14;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;

/// A client's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// the host that it asks for, as it is written there; none where it asks for none
    pub host: Option<String>,
}

/// The bytes are no first message of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the first message of a TLS client")]
pub struct NotTls;

/// Reads a client's first message from the beginning of `bytes`. None if more is to come.
pub fn client_hello(bytes: &[u8]) -> Result<Option<Hello>, NotTls> {
    // The message lies in one record or in several.
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        if let Some((header, body)) = message.split_at_checked(4) {
            if header[0] != CLIENT_HELLO {
                return Err(NotTls);
            }
            let length =
                usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
            if length > HELLO_BYTES_MAX {
                return Err(NotTls);
            }
            if let Some(body) = body.get(..length) {
                return hello(body).map(Some).ok_or(NotTls);
            }
        }
        // Said by the first bytes, so that another protocol is not waited for.
        let known = [HANDSHAKE, 3];
        if !rest.iter().zip(&known).all(|(one, other)| one == other) {
            return Err(NotTls);
        }
        let Some((header, behind)) = rest.split_at_checked(5) else {
            return Ok(None);
        };
        let length = usize::from(header[3]) << 8 | usize::from(header[4]);
        if length == 0 || length > RECORD_BYTES_MAX || message.len() + length > HELLO_BYTES_MAX + 4
        {
            return Err(NotTls);
        }
        let Some((record, behind)) = behind.split_at_checked(length) else {
            return Ok(None);
        };
        message.extend_from_slice(record);
        rest = behind;
    }
}

/// Bytes that are taken from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of `bytes` bytes, and as many bytes behind it.
    fn sized(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let length = self.take(bytes)?;
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.take(length)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from(bytes[0]) << 8 | u16::from(bytes[1]))
    }
}

fn hello(body: &[u8]) -> Option<Hello> {
    let mut fields = Fields(body);
    // Version, random.
    fields.take(2 + 32)?;
    // Session, ciphers, compression.
    fields.sized(1)?;
    fields.sized(2)?;
    fields.sized(1)?;
    let mut host = None;
    if fields.0.is_empty() {
        return Some(Hello { host });
    }
    let mut extensions = Fields(fields.sized(2)?);
    if !fields.0.is_empty() {
        return None;
    }
    while !extensions.0.is_empty() {
        let (kind, content) = (extensions.u16()?, extensions.sized(2)?);
        if kind == SERVER_NAME {
            // Two of them are a way to be read differently by two servers.
            if host.is_some() {
                return None;
            }
            host = Some(server_name(content)?);
        }
    }
    Some(Hello { host })
}

fn server_name(content: &[u8]) -> Option<String> {
    let mut content = Fields(content);
    let mut names = Fields(content.sized(2)?);
    if names.take(1)? != [HOST_NAME] {
        return None;
    }
    let name = names.sized(2)?;
    if !names.0.is_empty() || !content.0.is_empty() || !name.is_ascii() {
        return None;
    }
    String::from_utf8(name.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python 3.11's `ssl` (OpenSSL 3.0) with `wrap_bio(.., server_hostname="files.example.org")`; by `tests/golden/hello.py`.
    const OPENSSL: &[u8] = include_bytes!("../tests/golden/openssl.bin");

    fn named(name: &str) -> Hello {
        Hello {
            host: Some(name.to_owned()),
        }
    }

    #[test]
    fn the_name_is_found_in_what_a_client_sends() {
        assert_eq!(client_hello(OPENSSL), Ok(Some(named("files.example.org"))));
        let more = [OPENSSL, b"whatever follows"].concat();
        assert_eq!(client_hello(&more), Ok(Some(named("files.example.org"))));
    }

    #[test]
    fn it_is_waited_for_until_it_is_whole() {
        for length in 0..OPENSSL.len() {
            assert_eq!(client_hello(&OPENSSL[..length]), Ok(None), "{length}");
        }
    }

    #[test]
    fn it_may_lie_in_several_records() {
        for size in [1, 3, 4, 100] {
            let split: Vec<u8> = OPENSSL[5..]
                .chunks(size)
                .flat_map(|part| [&[22, 3, 1, 0, part.len() as u8], part].concat())
                .collect();
            assert_eq!(
                client_hello(&split),
                Ok(Some(named("files.example.org"))),
                "{size}"
            );
        }
    }

    #[test]
    fn other_protocols_are_told_at_once() {
        for text in [
            "SSH-2.0-x",
            "GET / HTTP/1.1",
            "\x16\x02",
            "\x15\x03\x01\0\x02\x01\0",
            "\x16\x03\x01\0\0",
            "\x16\x03\x01\x7f\x7f",
        ] {
            assert_eq!(client_hello(text.as_bytes()), Err(NotTls), "{text:?}");
        }
        // Another message than a client's first.
        let mut other = OPENSSL.to_vec();
        other[5] = 2;
        assert_eq!(client_hello(&other), Err(NotTls));
    }

    /// Lengths that lie, and names said twice.
    #[test]
    fn what_contradicts_itself_is_refused() {
        let place = OPENSSL
            .windows(5)
            .position(|bytes| bytes == b"files")
            .unwrap();
        for back in [1, 3, 4, 5, 7] {
            let mut lie = OPENSSL.to_vec();
            lie[place - back] = lie[place - back].wrapping_add(1);
            assert_eq!(client_hello(&lie), Err(NotTls), "{back}");
        }
        let one = [0, 0, 0, 6, 0, 4, 0, 0, 1, b'a'];
        let with = |extensions: &[u8]| {
            let body = [
                &[3, 3][..],
                &[0; 32],
                &[0],
                &[0, 2, 0x13, 1],
                &[1, 0],
                &(extensions.len() as u16).to_be_bytes(),
                extensions,
            ]
            .concat();
            let message = [&[1, 0, 0, body.len() as u8], &body[..]].concat();
            [&[22, 3, 1, 0, message.len() as u8], &message[..]].concat()
        };
        assert_eq!(client_hello(&with(&one)), Ok(Some(named("a"))));
        assert_eq!(client_hello(&with(&[])), Ok(Some(Hello { host: None })));
        assert_eq!(client_hello(&with(&[one, one].concat())), Err(NotTls));
        let two = [0, 0, 0, 10, 0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'];
        assert_eq!(client_hello(&with(&two)), Err(NotTls));
    }
}
