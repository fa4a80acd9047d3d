//! A pack. The first byte says whether the rest is a pack's objects as they are, or a list of objects that are compressed here; header and
//! checksum are right either way. Every object of a pack that is accepted is what it hashes to, within the limits.
#![no_main]

use flate2::Compression;
use flate2::write::ZlibEncoder;
use gradus_fetch::git::pack::{Pack, PackCaps};
use gradus_fetch::git::{Algorithm, ObjectId};
use libfuzzer_sys::fuzz_target;
use sha1::{Digest, Sha1};
use std::io::Write;

const CAPS: PackCaps = PackCaps {
    pack_bytes: 1 << 20,
    objects: 64,
    object_bytes: 1 << 16,
    unpacked_bytes: 1 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((&how, rest)) = bytes.split_first() else {
        return;
    };
    let (count, objects) = match how & 1 {
        0 => (u32::from(how >> 1), rest.to_vec()),
        _ => listed(rest),
    };
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(count.to_be_bytes());
    pack.extend(objects);
    let sum = Sha1::digest(&pack);
    pack.extend_from_slice(&sum);
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&pack).expect("room");
    let scratch = tempfile::tempfile().expect("a file");
    let Ok(mut pack) = Pack::open(file, scratch, Algorithm::Sha1, &CAPS) else {
        return;
    };
    assert!(pack.len() as u64 <= CAPS.objects);
    let ids: Vec<ObjectId> = pack.ids().copied().collect();
    for id in ids {
        let (kind, size) = pack.find(&id).expect("it is there");
        let content = pack.read(&id).expect("it was read before");
        assert!(content.len() as u64 == size && size <= CAPS.object_bytes);
        assert_eq!(ObjectId::of(Algorithm::Sha1, kind, &content), id);
        if cfg!(feature = "canary") {
            assert!(size != 7, "canary");
        }
    }
});

/// Kind, how far back a base is by number of objects, length, content; again and again.
fn listed(mut rest: &[u8]) -> (u32, Vec<u8>) {
    let (mut out, mut begins) = (Vec::new(), Vec::new());
    while let [kind, back, len, after @ ..] = rest {
        let len = usize::from(*len).min(after.len());
        let (content, after) = after.split_at(len);
        rest = after;
        begins.push(out.len());
        let kind = [3, 6, 6, 2][usize::from(kind & 3)];
        let first = kind << 4 | (len & 15) as u8;
        out.extend([first | 0x80, (len >> 4) as u8]);
        if kind == 6 {
            let base = begins.len().saturating_sub(2 + usize::from(*back));
            let distance = out.len() - 2 - begins[base];
            // One or two bytes of git's numbers.
            match distance {
                0..=127 => out.push(distance as u8),
                _ => out.extend([
                    ((distance - 128) >> 7) as u8 | 0x80,
                    (distance & 0x7f) as u8,
                ]),
            }
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(content).expect("memory");
        out.extend(encoder.finish().expect("memory"));
        if begins.len() == 40 {
            break;
        }
    }
    (begins.len() as u32, out)
}
