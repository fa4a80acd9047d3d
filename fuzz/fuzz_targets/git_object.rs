//! Trees, commits, packets and names of git. A tree that is accepted is written again as it was, and none of its names leads anywhere.
#![no_main]

use gradus_fetch::git::object::{Mode, parse_commit, parse_tree, write_tree};
use gradus_fetch::git::packet::{self, PACKET_BYTES_MAX, Packet};
use gradus_fetch::git::{Algorithm, ObjectId, name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
        if let Ok(mut entries) = parse_tree(algorithm, bytes) {
            for entry in &entries {
                let text = entry.name.to_ascii_lowercase();
                assert!(
                    !entry.name.is_empty()
                        && !entry.name.contains(&b'/')
                        && !entry.name.contains(&0)
                );
                assert!(
                    text != b".git" && text != b".." && text != b"." && entry.name.len() <= 255
                );
            }
            if cfg!(feature = "canary") {
                assert!(
                    !entries.iter().any(|entry| entry.mode == Mode::Link),
                    "canary"
                );
            }
            entries.reverse();
            assert_eq!(write_tree(&mut entries), bytes);
        }
        if let Ok(tree) = parse_commit(algorithm, bytes) {
            assert_eq!(tree.algorithm(), algorithm);
            assert!(bytes.starts_with(format!("tree {tree}\n").as_bytes()));
        }
    }
    let mut input = bytes;
    while let Ok(Some(packet)) = packet::read(&mut input) {
        if let Packet::Data(data) = packet {
            assert!(data.len() <= PACKET_BYTES_MAX);
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(id) = text.parse::<ObjectId>()
    {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    assert_eq!(name::folded(&name::folded(bytes)), name::folded(bytes));
    assert!(name::shown(bytes).chars().all(|c| !c.is_control()));
});
