//! What is sent through a ring arrives, whoever fills the buffers and however far ahead.

use crate::streams;
use gradus_kernels::device::{Staging, UploadRing};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// What the `i`th piece holds.
fn piece(i: usize) -> Vec<u8> {
    let len = [1, 4096, 17, 0, 70_000][i % 5];
    (0..len).map(|at| (i * 31 + at * 7) as u8).collect()
}

#[test]
fn pieces_of_any_size_arrive_though_their_buffers_are_filled_again_meanwhile() {
    for stream in streams() {
        let mut ring = UploadRing::new(stream.gpu(), "pieces", 2).expect("a ring");
        let staging = ring.staging().clone();
        let (send, receive) = channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for i in 0..23 {
                    let bytes = piece(i);
                    let mut staged = staging.take(bytes.len()).expect("a buffer");
                    staged.bytes_mut().copy_from_slice(&bytes);
                    send.send(staged).expect("somebody listens");
                }
            });
            for (i, staged) in receive.iter().enumerate() {
                let sent = ring.send_staged(staged).expect("memory");
                ring.wait(sent, &stream).expect("a device");
                let got = stream.download(ring.view(sent)).expect("a device");
                assert_eq!(got, piece(i), "piece {i}");
                ring.release(sent, &stream).expect("a device");
            }
        });
    }
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
