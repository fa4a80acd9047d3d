//! Our kernels beside LibTorch on the CPU, at shapes that differ from each other and divide nothing.

use super::{GIB, LibTorch};
use crate::cpu;
use crate::measure::Budget;
use crate::peer::{Peer, PeerError, Place, Prepared};
use crate::result::Row;
use crate::shape::Shape;
use gradus_kernels::Cpu;
use tch::Device;

fn libtorch(room_bytes: f64) -> LibTorch {
    let opened = LibTorch::open(Place::Cpu { threads: 1 }).expect("the CPU is there");
    LibTorch {
        room_bytes,
        ..opened
    }
}

fn shape(text: &str) -> Shape {
    text.parse().expect("written by hand")
}

/// Our row and LibTorch's.
fn both(text: &str, room_bytes: f64) -> (Row, Row) {
    let cpu = Cpu::new(1).expect("a thread starts");
    let budget = Budget {
        samples: 3,
        seconds: 0.0,
    };
    let peer = libtorch(room_bytes);
    let rows = cpu::rows(&cpu, &shape(text), budget, u64::MAX, Some(&peer));
    match <[_; 2]>::try_from(rows) {
        Ok([Ok(ours), Ok(peers)]) => (ours, peers),
        other => panic!("{text}: {other:?}"),
    }
}

/// The tests' own bound on how far LibTorch's f32 is from its f64, in parts of what is allowed to ours.
const PEER_PARTS: f64 = 50.0;

#[test]
fn every_family_agrees_with_libtorch_in_f64_and_libtorch_computes_the_same_when_timed() {
    let shapes = [
        ("linear:37x67x41", "libtorch f32"),
        ("cross_entropy:5x301x43", "libtorch f32 whole logits"),
        ("kl:3x131x47", "libtorch f32 whole logits"),
        ("attention:6x2x40,lengths=2*29", "libtorch f32 SDPA"),
        (
            "attention:4x4x24,lengths=37+5+1",
            "libtorch f32 SDPA by row",
        ),
        (
            "attention:6x3x16,lengths=31+7,window=5",
            "libtorch f32 SDPA with a mask by row",
        ),
        ("attention:5x5x24,cap=3,lengths=2*23", "libtorch f32 plain"),
        (
            "attention:4x2x24,cap=3,lengths=23,window=7",
            "libtorch f32 plain",
        ),
        ("rms_norm:5x97", "libtorch f32"),
        ("rms_norm:5x99,group=33", "libtorch f32"),
        ("rope:7x3x22", "libtorch f32"),
        ("activation:5x67", "libtorch f32"),
        ("activation:3x41,kind=gelu", "libtorch f32"),
        ("activation:11x13,kind=gelu_tanh", "libtorch f32"),
        ("embedding:7x53x33", "libtorch f32"),
    ];
    for (text, variant) in shapes {
        let (ours, peers) = both(text, GIB);
        assert_eq!(peers.variant, variant, "{text}");
        let part = |row: &Row| row.measured.worst_error.expect("it was compared");
        assert!(part(&ours) <= 1.0, "{text}: {}", part(&ours));
        assert!(part(&peers) <= PEER_PARTS, "{text}: {}", part(&peers));
        assert!(peers.ours_over_this.is_some_and(|ratio| ratio > 0.0));
    }
}

#[test]
fn logits_that_do_not_fit_are_computed_in_pieces_with_the_same_losses() {
    let two_rows = 2.0 * 4.0 * 2.0 * 301.0;
    let (_, peers) = both("cross_entropy:5x301x43", two_rows);
    assert_eq!(peers.variant, "libtorch f32 logits in 3 pieces");
    let (_, peers) = both("kl:3x131x47", 1.0);
    assert_eq!(peers.variant, "libtorch f32 logits in 3 pieces");
}

/// The problem of `text`'s kernel in LibTorch's hands.
fn prepared(text: &str) -> Box<dyn Prepared> {
    let cpu = Cpu::new(1).expect("a thread starts");
    let bench = crate::kernels::build(&cpu, &shape(text)).expect("a kernel of the CPU");
    let problem = bench.problem().expect("one that peers have");
    libtorch(GIB).prepare(&problem).expect("memory for little")
}

#[test]
fn rows_are_those_that_were_asked_for() {
    for text in ["attention:4x2x8,lengths=7+1+5", "kl:13x31x9", "rope:13x3x6"] {
        let prepared = prepared(text);
        let every: Vec<usize> = (0..13).collect();
        let (all, some) = (prepared.exact(&every), prepared.exact(&[0, 7, 12]));
        for (all, some) in all.unwrap().iter().zip(some.unwrap()) {
            let width = all.len() / 13;
            let picked = [0, 7, 12].map(|row| &all[row * width..][..width]).concat();
            // Products of other sizes add in another order.
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12 * (1.0 + b.abs());
            assert!(some.iter().zip(&picked).all(close), "{text}");
            assert_eq!(some.len(), picked.len(), "{text}");
        }
    }
}

#[test]
fn a_gpu_that_libtorch_does_not_find_is_named() {
    let found = tch::Cuda::device_count().max(0) as usize;
    let error = LibTorch::open(Place::Gpu(found + 1)).err();
    let ordinal = found + 1;
    assert_eq!(error, Some(PeerError::NoGpu { ordinal, found }));
}

#[test]
fn what_libtorch_refuses_is_said_in_a_line() {
    let matrix = tch::Tensor::zeros([3, 5], (tch::Kind::Float, Device::Cpu));
    let error = matrix.f_matmul(&matrix).expect_err("sizes do not fit");
    let said = super::said(error);
    assert!(said.contains("3x5") && !said.contains('\n'), "{said}");
}
