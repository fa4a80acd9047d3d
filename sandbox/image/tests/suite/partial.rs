//! Blobs that come in several tries, of this process and of others.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use gradus_image::Digest;
use gradus_image::store::{GcPolicy, PutBlobError, Store};

/// Bytes, and then no more for good.
struct Cut(Cursor<Vec<u8>>);

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            n => Ok(n),
        }
    }
}

fn content(seed: u8) -> Vec<u8> {
    (0..300_000u32).map(|i| (i / 7) as u8 ^ seed).collect()
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn open(&self) -> Store {
        Store::open_unflushed(&self.folder.path().join("store")).unwrap()
    }

    fn partial(&self, digest: &Digest) -> PathBuf {
        self.folder.path().join("store/partial").join(digest.hex())
    }

    /// Tries, and is cut off after so many bytes in all.
    fn cut(&self, content: &[u8], until: usize) -> Vec<u64> {
        let store = self.open();
        let digest = Digest::of(content);
        let mut asked = Vec::new();
        let result = store.resume_blob(
            &store.pin().unwrap(),
            &digest,
            content.len() as u64,
            |from| {
                asked.push(from);
                Cut(Cursor::new(content[from as usize..until].to_vec()))
            },
        );
        assert!(
            matches!(result, Err(PutBlobError::Input { .. })),
            "{result:?}"
        );
        assert!(store.blob_bytes(&digest).unwrap().is_none());
        asked
    }

    /// Tries to the end; the positions that were asked for.
    fn whole(&self, content: &[u8]) -> Vec<u64> {
        let store = self.open();
        let digest = Digest::of(content);
        let mut asked = Vec::new();
        store
            .resume_blob(
                &store.pin().unwrap(),
                &digest,
                content.len() as u64,
                |from| {
                    asked.push(from);
                    Cursor::new(content[from as usize..].to_vec())
                },
            )
            .unwrap();
        assert_eq!(store.read_blob(&digest, u64::MAX).unwrap(), content);
        assert!(!self.partial(&digest).exists());
        asked
    }
}

#[test]
fn a_blob_goes_on_where_other_processes_have_stopped() {
    let (place, content) = (Place::new(), content(1));
    assert_eq!(place.cut(&content, 100_000), [0]);
    assert_eq!(place.cut(&content, 200_000), [100_000]);
    assert_eq!(place.whole(&content), [200_000]);
    // It is there: nothing is asked.
    assert_eq!(place.whole(&content), Vec::<u64>::new());
}

#[test]
fn all_bytes_of_a_blob_that_has_no_name_yet_are_not_asked_for() {
    let (place, content) = (Place::new(), content(2));
    place.cut(&content, content.len());
    assert_eq!(place.whole(&content), Vec::<u64>::new());
}

#[test]
fn a_beginning_of_something_else_is_given_up() {
    let (place, content) = (Place::new(), content(3));
    place.cut(&content, 100_000);
    let partial = place.partial(&Digest::of(&content));
    // Another bit; zeros, as a power cut leaves them; longer than the whole.
    let mut wrong = content[..100_000].to_vec();
    wrong[5] ^= 1;
    for (wrong, asked) in [
        (wrong, vec![100_000, 0]),
        (vec![0; 150_000], vec![150_000, 0]),
        (vec![0; content.len()], vec![0]),
        (vec![0; content.len() + 1], vec![0]),
    ] {
        fs::write(&partial, wrong).unwrap();
        assert_eq!(place.whole(&content), asked);
        fs::remove_file(
            place
                .folder
                .path()
                .join("store/blobs/sha256")
                .join(Digest::of(&content).hex()),
        )
        .unwrap();
    }
}

#[test]
fn bytes_that_are_wrong_for_good_leave_nothing() {
    let (place, content) = (Place::new(), content(4));
    place.cut(&content, 100_000);
    let store = place.open();
    let digest = Digest::of(&content);
    let result = store.resume_blob(
        &store.pin().unwrap(),
        &digest,
        content.len() as u64,
        |from| Cursor::new(vec![9; content.len() - from as usize]),
    );
    assert!(
        matches!(result, Err(PutBlobError::Digest { .. })),
        "{result:?}"
    );
    assert!(!place.partial(&digest).exists());
    // Neither does what is too short to be worth it.
    place.cut(&content, 1000);
    assert!(!place.partial(&digest).exists());
}

/// The second one does not wait, and does not touch what the first one has.
#[test]
fn two_at_once_do_not_hurt_each_other() {
    let (place, content) = (Place::new(), content(5));
    place.cut(&content, 100_000);
    let (go, wait) = channel::<()>();
    let (begun, has_begun) = channel();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let (store, wait) = (place.open(), wait);
            let pin = store.pin().unwrap();
            let mut asked = Vec::new();
            let mut open = |from: u64| {
                asked.push(from);
                begun.send(()).unwrap();
                wait.recv_timeout(Duration::from_secs(20)).unwrap();
                Cursor::new(content[from as usize..].to_vec())
            };
            let digest = Digest::of(&content);
            store
                .resume_blob(&pin, &digest, content.len() as u64, &mut open)
                .unwrap();
            asked
        });
        has_begun.recv().unwrap();
        let store = place.open();
        let digest = Digest::of(&content);
        // Nor does a collection.
        let policy = GcPolicy {
            bytes_max: Some(0),
            age_max: Some(Duration::ZERO),
        };
        store.collect(&policy).unwrap();
        assert_eq!(fs::metadata(place.partial(&digest)).unwrap().len(), 100_000);
        let mut second = Vec::new();
        let pin = store.pin().unwrap();
        store
            .resume_blob(&pin, &digest, content.len() as u64, |from| {
                second.push(from);
                Cursor::new(content[from as usize..].to_vec())
            })
            .unwrap();
        assert_eq!(second, [0]);
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), [100_000]);
        assert_eq!(store.read_blob(&digest, u64::MAX).unwrap(), content);
    });
}

#[test]
fn beginnings_are_collected_by_age_and_by_size() {
    let place = Place::new();
    for (policy, stays) in [
        (GcPolicy::default(), true),
        (
            GcPolicy {
                age_max: Some(Duration::from_secs(3600)),
                bytes_max: Some(1 << 20),
            },
            true,
        ),
        (
            GcPolicy {
                age_max: Some(Duration::ZERO),
                bytes_max: None,
            },
            false,
        ),
        (
            GcPolicy {
                age_max: None,
                bytes_max: Some(1000),
            },
            false,
        ),
    ] {
        let content = content(6);
        let digest = Digest::of(&content);
        let _ = fs::remove_file(place.partial(&digest));
        place.cut(&content, 100_000);
        let collected = place.open().collect(&policy).unwrap();
        assert_eq!(place.partial(&digest).exists(), stays, "{policy:?}");
        let (freed, left) = if stays { (0, 100_000) } else { (100_000, 0) };
        assert_eq!((collected.bytes_freed, collected.bytes_left), (freed, left));
    }
}
