//! What is sent through a ring arrives, whoever fills the buffers and however far ahead, and stays until it has been read.

use crate::streams;
use gradus_kernels::device::{DeviceBuffer, Sent, Staging, Stream, UploadRing};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// What the `i`th piece holds.
fn piece(i: usize) -> Vec<u8> {
    let len = [1, 4096, 17, 0, 70_000][i % 5];
    (0..len).map(|at| (i * 31 + at * 7) as u8).collect()
}

fn send(ring: &mut UploadRing, i: usize, stream: &Stream) -> Sent {
    let bytes = piece(i);
    let sent = ring.send(bytes.len(), |out| out.copy_from_slice(&bytes), stream);
    sent.expect("memory")
}

/// Work of `stream` that reads what was sent.
fn read(stream: &Stream, ring: &UploadRing, sent: &Sent) -> DeviceBuffer<u8> {
    let view = ring.view(sent);
    let mut out = stream.alloc("a piece", view.len()).expect("memory");
    stream.copy(view, &mut out.view_mut()).expect("a device");
    out
}

#[test]
fn pieces_of_any_size_arrive_though_their_buffers_and_slots_are_filled_again_meanwhile() {
    for stream in streams() {
        let mut ring = UploadRing::new(stream.gpu(), "pieces", 2).expect("a ring");
        let staging = ring.staging().clone();
        let (give, receive) = channel();
        let read: Vec<DeviceBuffer<u8>> = std::thread::scope(|scope| {
            scope.spawn(move || {
                for i in 0..23 {
                    let bytes = piece(i);
                    let mut staged = staging.take(bytes.len()).expect("a buffer");
                    staged.bytes_mut().copy_from_slice(&bytes);
                    give.send(staged).expect("somebody listens");
                }
            });
            // Nothing here waits for the device: it may be as late as it likes.
            let read = receive.iter().map(|staged| {
                let sent = ring.send_staged(staged, &stream).expect("memory");
                read(&stream, &ring, &sent)
            });
            read.collect()
        });
        for (i, got) in read.iter().enumerate() {
            let got = stream.download(got.view()).expect("a device");
            assert_eq!(got, piece(i), "piece {i}");
        }
        assert_eq!(read.len(), 23);
    }
}

#[test]
fn work_that_is_given_up_gives_its_slots_back_and_is_waited_for_before_they_are_filled() {
    for stream in streams() {
        let mut ring = UploadRing::new(stream.gpu(), "pieces", 2).expect("a ring");
        let give_up = |ring: &mut UploadRing| -> Result<(), Vec<DeviceBuffer<u8>>> {
            let (first, second) = (send(ring, 1, &stream), send(ring, 4, &stream));
            assert_eq!(ring.slots_in_use(), 2);
            let read = vec![read(&stream, ring, &first), read(&stream, ring, &second)];
            // Something else fails here.
            Err(read)
        };
        let before = give_up(&mut ring).expect_err("it is given up");
        assert_eq!(ring.slots_in_use(), 0);
        let after: Vec<_> = [9, 14, 6].map(|i| (i, send(&mut ring, i, &stream))).into();
        for (got, i) in before.iter().zip([1, 4]) {
            assert_eq!(stream.download(got.view()).expect("a device"), piece(i));
        }
        for (i, sent) in &after[1..] {
            let got = stream.download(ring.view(sent)).expect("a device");
            assert_eq!(got, piece(*i), "piece {i}");
        }
    }
}

#[test]
fn a_ring_goes_before_what_was_sent_through_it_and_the_device_reads_it_all_the_same() {
    for stream in streams() {
        let mut ring = UploadRing::new(stream.gpu(), "pieces", 2).expect("a ring");
        let sent = send(&mut ring, 4, &stream);
        let got = read(&stream, &ring, &sent);
        drop(ring);
        assert_eq!(stream.download(got.view()).expect("a device"), piece(4));
    }
}

#[test]
#[should_panic(expected = "the slot was filled again")]
fn what_was_sent_is_not_read_once_its_slot_was_filled_again() {
    let stream = crate::stream();
    let mut ring = UploadRing::new(stream.gpu(), "pieces", 1).expect("a ring");
    let first = send(&mut ring, 1, &stream);
    let _second = send(&mut ring, 2, &stream);
    let _ = ring.view(&first);
}

#[test]
fn a_buffer_that_is_held_is_waited_for_and_one_that_is_dropped_comes_back() {
    for stream in streams() {
        let staging = Staging::new(stream.gpu(), 1);
        let held = staging.take(8).expect("a buffer");
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            let staging = &staging;
            scope.spawn(move || send.send(staging.take(16).expect("a buffer").bytes_mut().len()));
            let early = receive.recv_timeout(Duration::from_millis(50));
            assert_eq!(early, Err(RecvTimeoutError::Timeout));
            drop(held);
            assert_eq!(receive.recv_timeout(Duration::from_secs(10)), Ok(16));
        });
    }
}
