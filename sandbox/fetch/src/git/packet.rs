//! How git frames what it says: four hexadecimal digits of length, then the content.

use std::io::{self, Read};

/// Longest packet.
pub const PACKET_BYTES_MAX: usize = 65_520;

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// some content
    Data(Vec<u8>),
    /// `0000`: the end
    Flush,
    /// `0001`: between two sections
    Delimiter,
    /// `0002`: the end of an answer
    End,
}

/// The next packet; `None` where the stream ends between two.
///
/// # Errors
/// `InvalidData` where a length is none, `UnexpectedEof` in the middle of a packet, and the reader's own.
pub fn read(input: &mut impl Read) -> io::Result<Option<Packet>> {
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < 4 {
        match input.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a packet's length is none");
    let digit = |c: u8| char::from(c).to_digit(16);
    let mut length = 0usize;
    for c in head {
        length = length << 4 | digit(c).ok_or_else(invalid)? as usize;
    }
    Ok(Some(match length {
        0 => Packet::Flush,
        1 => Packet::Delimiter,
        2 => Packet::End,
        3 => return Err(invalid()),
        length if length > PACKET_BYTES_MAX => return Err(invalid()),
        length => {
            let mut data = vec![0; length - 4];
            input.read_exact(&mut data)?;
            Packet::Data(data)
        }
    }))
}

/// Appends a packet with a line of text.
pub fn write(out: &mut Vec<u8>, line: &str) {
    out.extend_from_slice(format!("{:04x}{line}\n", line.len() + 5).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8]) -> io::Result<Vec<Packet>> {
        let mut out = Vec::new();
        while let Some(packet) = read(&mut bytes)? {
            out.push(packet);
        }
        Ok(out)
    }

    #[test]
    fn packets_are_read_as_they_are_written() {
        let mut bytes = Vec::new();
        write(&mut bytes, "command=fetch");
        // As protocol-v2's documentation frames it.
        assert_eq!(bytes, b"0012command=fetch\n");
        bytes.extend_from_slice(b"000100000004");
        let data = |text: &[u8]| Packet::Data(text.to_vec());
        assert_eq!(
            all(&bytes).unwrap(),
            [
                data(b"command=fetch\n"),
                Packet::Delimiter,
                Packet::Flush,
                data(b"")
            ]
        );
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for wrong in ["0003", "fff1", "ffff", "zzzz", "+004", "00", "0008ab"] {
            assert!(all(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
