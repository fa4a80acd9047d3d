//! The files that hold what a job printed: two times two bytes say how long the first two are, the rest is the third.
//!
//! Whatever they hold, records follow each other, none is larger than what was there, and nothing that is shown of them is more than text.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use gradus_sandbox::logs::{LINE_BYTES, Lines, Reader, Stream};
use libfuzzer_sys::fuzz_target;

/// The three files, one after the other in time.
const FILES: [&str; 3] = ["log.head", "log.1", "log.0"];

const PREFIX: &str = "gradus-fuzz-job-log-";

/// One directory for all inputs; in memory where there is such a place.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    // A fuzzer's end runs nothing of ours, so the next one removes what it left.
    for entry in fs::read_dir(&parent).expect("it is there").flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if process.is_some_and(|process| !PathBuf::from("/proc").join(process).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let directory = parent.join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory for the files");
    directory
});

fuzz_target!(|input: &[u8]| {
    let Some((lengths, rest)) = input.split_first_chunk::<4>() else {
        return;
    };
    let length = |at: usize| usize::from(u16::from_le_bytes([lengths[at], lengths[at + 1]]));
    let (head, rest) = rest.split_at(length(0).min(rest.len()));
    let (older, newer) = rest.split_at(length(2).min(rest.len()));
    for (name, bytes) in FILES.iter().zip([head, older, newer]) {
        let path = DIRECTORY.join(name);
        if bytes.is_empty() {
            // A file that was not begun is not there.
            let _ = fs::remove_file(path);
        } else {
            fs::write(path, bytes).expect("room for a file");
        }
    }
    let mut reader = Reader::open(&DIRECTORY).expect("the directory is there");
    let (mut lines, mut text) = (Lines::new(), String::new());
    let (mut end, mut bytes) = (0, 0);
    loop {
        match reader.next() {
            Ok(Some(record)) => {
                assert!((1..=64 << 10).contains(&record.bytes.len()));
                assert_eq!(
                    record.before,
                    end + record.missing,
                    "records follow each other"
                );
                end = record.before + record.bytes.len() as u64;
                bytes += 24 + record.bytes.len();
                assert!(bytes <= input.len(), "more was read than was there");
                lines.push(&record, &mut text);
                if cfg!(feature = "canary") {
                    assert!(
                        record.stream == Stream::Output || record.missing == 0,
                        "canary"
                    );
                }
            }
            Ok(None) => {
                assert!(matches!(reader.next(), Ok(None)), "nothing was added");
                break;
            }
            Err(_) => {
                assert!(reader.next().is_err(), "what is damaged stays damaged");
                break;
            }
        }
    }
    lines.finish(&mut text);
    for line in text.lines() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let frames = [" out | ", " err | ", " --- | "];
        assert!(frames.iter().any(|frame| line.contains(frame)), "{line:?}");
        // A byte becomes eight characters at most, and there is the frame.
        assert!(line.len() <= 8 * LINE_BYTES + 200, "{}", line.len());
    }
});
