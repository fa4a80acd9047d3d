//! Packs made here, and a server that sends one.

use gradus_fetch::git::{Algorithm, Kind, ObjectId};
use gradus_servers::server::{Peer, Request, Server};
use sha1::{Digest as _, Sha1};
use std::io::Write as _;

/// Objects of a pack, one behind the other.
#[derive(Clone, Default)]
pub(crate) struct Maker {
    bytes: Vec<u8>,
    count: u32,
}

impl Maker {
    pub(crate) fn new() -> Maker {
        Maker::default()
    }

    /// Where the next object begins, as an index.
    pub(crate) fn offset(&self) -> usize {
        12 + self.bytes.len()
    }

    /// With a length that may be a lie.
    pub(crate) fn raw(&mut self, kind: u8, size: u64, between: &[u8], content: &[u8]) {
        let mut size = size;
        let mut byte = kind << 4 | (size & 15) as u8;
        size >>= 4;
        while size > 0 {
            self.bytes.push(byte | 0x80);
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        self.bytes.push(byte);
        self.bytes.extend_from_slice(between);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        self.bytes.extend(encoder.finish().unwrap());
        self.count += 1;
    }

    pub(crate) fn add(&mut self, kind: Kind, content: &[u8]) -> ObjectId {
        let number = match kind {
            Kind::Commit => 1,
            Kind::Tree => 2,
            Kind::Blob => 3,
            Kind::Tag => 4,
        };
        self.raw(number, content.len() as u64, &[], content);
        ObjectId::of(Algorithm::Sha1, kind, content)
    }

    pub(crate) fn blob(&mut self, content: &[u8]) -> ObjectId {
        self.add(Kind::Blob, content)
    }

    /// Entries as they are, in this order.
    pub(crate) fn tree(&mut self, entries: &[(&str, &[u8], ObjectId)]) -> ObjectId {
        let mut content = Vec::new();
        for (mode, name, id) in entries {
            content.extend_from_slice(mode.as_bytes());
            content.push(b' ');
            content.extend_from_slice(name);
            content.push(0);
            content.extend_from_slice(id.as_bytes());
        }
        self.add(Kind::Tree, &content)
    }

    pub(crate) fn commit(&mut self, tree: &ObjectId) -> ObjectId {
        let text = format!("tree {tree}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n");
        self.add(Kind::Commit, text.as_bytes())
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        self.finish_with(self.count)
    }

    pub(crate) fn finish_with(&self, count: u32) -> Vec<u8> {
        let mut out = b"PACK\0\0\0\x02".to_vec();
        out.extend(count.to_be_bytes());
        out.extend(&self.bytes);
        let sum = Sha1::digest(&out);
        out.extend_from_slice(&sum);
        out
    }
}

pub(crate) const ADVERTISEMENT: &[u8] =
    b"001e# service=git-upload-pack\n0000000eversion 2\n0013fetch=shallow \n0017object-format=sha1\n0000";

/// Whether it is asked what the server can; answers that.
pub(crate) fn advertise(request: &Request, peer: &mut Peer) -> bool {
    let is_first = request.path.contains("/info/refs?service=git-upload-pack");
    if is_first {
        peer.answer(200, &[], ADVERTISEMENT);
    }
    is_first
}

/// A pack's bytes as an answer has them.
pub(crate) fn framed(pack: &[u8]) -> Vec<u8> {
    let mut out = b"000dpackfile\n".to_vec();
    for part in pack.chunks(60_000) {
        out.extend(format!("{:04x}", part.len() + 5).as_bytes());
        out.push(1);
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"0000");
    out
}

/// A server that sends this pack, whatever it is asked for.
pub(crate) fn serving(pack: Vec<u8>) -> Server {
    let answer = framed(&pack);
    Server::start(move |request, peer| {
        if !advertise(request, peer) {
            peer.answer(200, &[], &answer);
        }
    })
}
