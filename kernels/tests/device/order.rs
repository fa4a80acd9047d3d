//! Results do not depend on which thread of a block runs first: one that does is a race.

use crate::matrix::{Matrix, random};
use crate::{activation, attention, head, linear, lora, rms_norm, stream, streams};
use gradus_kernels::activation::Activation;
use gradus_kernels::rms_norm::Gain;
use std::process::Command;

/// Results of kernels whose threads meet, and of one whose threads do not, as one number.
fn digest() -> u64 {
    let stream = stream();
    let mut bits = Vec::new();
    for cols in [37, 1003, 2051, 4096, 8200, 9001, 16391] {
        let x = Matrix::random(9, cols, 1.0, 1);
        bits.extend(rms_norm::norm(&stream, &x, &random(cols, 2), Gain::Weight).bits());
    }
    for (groups, group) in [(3, 64), (5, 128), (3, 256), (2, 1003), (1, 9008)] {
        let x = Matrix::random(3, groups * group, 1.0, 3);
        bits.extend(rms_norm::heads(&stream, &x, &random(group, 4), Gain::Weight).bits());
    }
    let x = Matrix::random(5, 2 * 1000, 3.0, 5);
    bits.extend(activation::gated(&stream, Activation::Gelu, &x).bits());
    let factors = lora::factor(&stream, &lora::case(21, 4099, 7));
    bits.extend(factors.iter().map(|v| v.to_bits()));
    for stream in streams() {
        bits.extend(attention::sample(&stream));
        for n in [37, 130, 257] {
            let out = Matrix::random(140, n, 1.0, 6);
            let gpu = linear::Case::new(140, n, 200, 12).upload(&stream);
            bits.extend(gpu.product(0..140, &out, linear::half_of_it).bits());
            let gpu = linear::Case::new(140, 2 * n, 200, 12).upload(&stream);
            let out = Matrix::poisoned(140, n);
            bits.extend(gpu.product(0..140, &out, linear::silu).bits());
        }
        bits.extend(head::sample(&stream));
    }
    bits.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &bits| {
        (hash ^ u64::from(bits)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn digest_of_this_order() {
    println!("digest {:016x}", digest());
}

#[test]
fn threads_in_either_order_give_the_same_bits() {
    let printed = |order: &str| {
        let out = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "order::digest_of_this_order", "--nocapture"])
            .env("GRADUS_SHIM_ORDER", order)
            .output()
            .expect("a child");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{order}: {text}");
        let at = text.find("digest ").expect("a digest");
        text[at..at + 23].to_owned()
    };
    assert_eq!(printed("forward"), printed("reverse"));
}
