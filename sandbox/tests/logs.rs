//! What jobs print, read back: through the watcher, and beside a writer that never rests.

mod busybox;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use busybox::Busybox;
use gradus_sandbox::logs::{Lines, LogError, Reader, Record, Stream};
use gradus_sandbox::outcome::Outcome;

fn all(reader: &mut Reader) -> Vec<Record> {
    std::iter::from_fn(|| reader.next().unwrap()).collect()
}

fn bytes_of(records: &[Record], stream: Stream) -> Vec<u8> {
    let of = records.iter().filter(|record| record.stream == stream);
    of.flat_map(|record| record.bytes.clone()).collect()
}

/// That records follow each other, up to the end.
fn assert_continuous(records: &[Record]) -> u64 {
    let mut end = 0;
    for record in records {
        assert_eq!(record.before, end + record.missing);
        assert!((1..=64 << 10).contains(&record.bytes.len()));
        end = record.before + record.bytes.len() as u64;
    }
    end
}

#[test]
fn both_streams_come_back_as_they_were_printed() {
    let Some(box_) = Busybox::new() else {
        return;
    };
    let script =
        r"printf 'one\033[2J\r\0\n'; sleep 0.1; printf 'two \377\n' >&2; sleep 0.1; printf three";
    let ended = box_.run(&box_.job("both", script));
    assert_eq!(ended.outcome, Outcome::Exited { code: 0 });
    let records = all(&mut Reader::open(&box_.directory("both")).unwrap());
    assert_eq!(bytes_of(&records, Stream::Output), b"one\x1b[2J\r\0\nthree");
    assert_eq!(bytes_of(&records, Stream::Errors), b"two \xff\n");
    assert_eq!(assert_continuous(&records), ended.usage.log_bytes);
    assert!(records.windows(2).all(|pair| pair[0].at <= pair[1].at));
    let (mut lines, mut text) = (Lines::new(), String::new());
    records
        .iter()
        .for_each(|record| lines.push(record, &mut text));
    lines.finish(&mut text);
    let shown: Vec<&str> = text.lines().collect();
    let ends = [r"out | one\x1b[2J\r\x00", r"err | two \xff", "out | three"];
    assert!(
        shown.len() == 3
            && shown
                .iter()
                .zip(ends)
                .all(|(line, end)| line.ends_with(end)),
        "{text}"
    );
    assert!(
        text.chars()
            .all(|character| character == '\n' || !character.is_control())
    );
    box_.sandbox.remove("both").unwrap();
}

#[test]
fn of_a_chatty_job_the_beginning_and_the_end_are_kept_and_the_gap_is_counted() {
    let Some(box_) = Busybox::new() else {
        return;
    };
    let mut job = box_.job(
        "chatty",
        "echo first; yes 0123456789abcde | head -c 50331648; echo last >&2",
    );
    job.limits.log_rate_bytes = 1 << 30;
    let ended = box_.run(&job);
    assert_eq!(ended.outcome, Outcome::Exited { code: 0 });
    let directory = box_.directory("chatty");
    assert!(
        ["log.head", "log.1", "log.0"]
            .iter()
            .all(|name| directory.join(name).exists())
    );
    let records = all(&mut Reader::open(&directory).unwrap());
    assert_eq!(assert_continuous(&records), ended.usage.log_bytes);
    assert_eq!(ended.usage.log_bytes, 6 + (48 << 20) + 5);
    let gaps: Vec<u64> = records
        .iter()
        .map(|record| record.missing)
        .filter(|missing| *missing > 0)
        .collect();
    let kept: u64 = records.iter().map(|record| record.bytes.len() as u64).sum();
    assert_eq!(gaps.len(), 1);
    assert_eq!(kept + gaps[0], ended.usage.log_bytes);
    assert!(records[0].bytes.starts_with(b"first\n"));
    assert_eq!(bytes_of(&records, Stream::Errors), b"last\n");
    // What is kept of `yes` is its text, wherever the gap begins and ends, and wherever between its pieces the other stream was read.
    let mut errors = 0;
    for record in &records {
        if record.stream == Stream::Errors {
            errors += record.bytes.len() as u64;
            continue;
        }
        for (index, byte) in record.bytes.iter().enumerate() {
            let position = record.before - errors + index as u64;
            if position >= 6 {
                assert_eq!(*byte, b"0123456789abcde\n"[((position - 6) % 16) as usize]);
            }
        }
    }
    box_.sandbox.remove("chatty").unwrap();
}

#[test]
fn a_running_job_is_followed() {
    let Some(box_) = Busybox::new() else {
        return;
    };
    let job = box_.job("slow", "for i in 1 2 3; do echo $i; sleep 0.3; done");
    #[allow(unused_mut)]
    let mut started = box_.sandbox.start(&job).unwrap();
    let mut reader = Reader::open(&box_.directory("slow")).unwrap();
    for expected in ["1\n", "2\n", "3\n"] {
        let record = reader
            .follow(Duration::from_secs(10))
            .unwrap()
            .expect("it prints");
        assert_eq!(record.bytes, expected.as_bytes());
    }
    started.wait().unwrap();
    let asked = Instant::now();
    assert_eq!(reader.follow(Duration::from_millis(120)).unwrap(), None);
    assert!(asked.elapsed() >= Duration::from_millis(120));
    box_.sandbox.remove("slow").unwrap();
}

fn record(stream: u8, before: u64, bytes: &[u8]) -> Vec<u8> {
    let mut record = (bytes.len() as u32).to_le_bytes().to_vec();
    record.extend([stream, 0, 0, 0]);
    record.extend(before.to_le_bytes());
    record.extend(before.to_le_bytes());
    record.extend(bytes);
    record
}

fn append(directory: &Path, name: &str, bytes: &[u8]) {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join(name));
    file.unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_record_that_is_being_written_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.next().unwrap(), None, "there is no file yet");
    let whole = record(1, 0, b"hello");
    for byte in &whole {
        assert_eq!(reader.next().unwrap(), None);
        append(dir.path(), "log.head", &[*byte]);
    }
    assert_eq!(reader.next().unwrap().unwrap().bytes, b"hello");
    assert_eq!(reader.pending(), 0);
    append(dir.path(), "log.head", &whole[..7]);
    assert_eq!(reader.next().unwrap(), None);
    assert_eq!(reader.pending(), 7);
}

#[test]
fn damaged_files_are_named_and_cost_no_memory() {
    let mut huge = record(1, 5, b"x");
    huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut stream = record(1, 5, b"x");
    stream[4] = 7;
    for wrong in [
        huge,
        stream,
        vec![0xff; 4096],
        vec![0; 4096],
        record(1, 4, b"again"),
        record(1, u64::MAX, b"x"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), "log.head", &record(2, 0, b"hello"));
        append(dir.path(), "log.head", &wrong);
        let mut reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().bytes, b"hello");
        for _ in 0..2 {
            let error = reader.next().unwrap_err();
            assert!(
                matches!(&error, LogError::Damaged { path, at: 29, .. } if path.ends_with("log.head")),
                "{error:?}"
            );
        }
    }
    let dir = tempfile::tempdir().unwrap();
    append(dir.path(), "log.head", &record(1, 0, b"hello")[..20]);
    append(dir.path(), "log.0", &record(1, 5, b"more"));
    let error = Reader::open(dir.path()).unwrap().next().unwrap_err();
    assert!(
        matches!(&error, LogError::Cut { path, at: 0 } if path.ends_with("log.head")),
        "{error:?}"
    );
}

#[test]
fn no_record_is_lost_or_read_twice_while_files_are_replaced() {
    // In memory: a disk's journal would be most of what is measured.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = |name: &str| dir.path().join(name);
    const PER_FILE: u64 = 3;
    let total = 40_000_u64;
    let write = || {
        let open = |name| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path(name))
                .unwrap()
        };
        let mut file: File = open("log.head");
        let mut in_file = 0;
        for number in 0..total {
            // Small files, so that many are replaced while they are read; the head is the first of them.
            if in_file == PER_FILE {
                if path("log.0").exists() {
                    fs::rename(path("log.0"), path("log.1")).unwrap();
                }
                file = open("log.0");
                in_file = 0;
                if number % 7 == 0 {
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
            file.write_all(&record(1, number * 8, &number.to_le_bytes()))
                .unwrap();
            in_file += 1;
        }
    };
    let records = std::thread::scope(|scope| {
        let writer = scope.spawn(write);
        let mut reader = Reader::open(dir.path()).unwrap();
        let mut records = Vec::new();
        loop {
            let done = writer.is_finished();
            let before = records.len();
            records.extend(all(&mut reader));
            if done && before == records.len() {
                break records;
            }
        }
    });
    assert_eq!(assert_continuous(&records), total * 8);
    for record in &records {
        assert_eq!(record.bytes, (record.before / 8).to_le_bytes());
        // What is lost is lost by whole files.
        assert!(
            record.missing == 0
                || [record.before, record.before - record.missing]
                    .iter()
                    .all(|at| at.is_multiple_of(8 * PER_FILE)),
            "{record:?}"
        );
    }
    assert!(
        records.len() > 1000,
        "{} of {total} were read",
        records.len()
    );
    eprintln!(
        "{} of {total} records were read beside the writer",
        records.len()
    );
}
