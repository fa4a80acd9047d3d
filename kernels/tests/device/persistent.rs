//! Persistent blocks: on Hopper a multiprocessor has one block of attention, products and heads, which goes from work to work.
//!
//! Every test here has more than two works for each multiprocessor that the device says it has, of several tiles each. Rows repeat a few that are
//! compared with their definition, so a work that takes something of the one before it shows as other bits: works repeat at another distance than
//! blocks take them.

use crate::attention::{Case as Attention, alone};
use crate::head::{Head, run, run_with};
use crate::linear::{Case as Linear, GATED, gated_within};
use crate::matrix::Matrix;
use crate::operand::Operand;
use crate::streams;
use gradus_kernels::cross_entropy::{device::VOCAB_BLOCK, reference};
use gradus_kernels::device::Stream;
use std::process::Command;

/// How many the emulated device is asked to have.
const MULTIPROCESSORS: &str = "GRADUS_SHIM_MULTIPROCESSORS";

/// Streams of Hoppers, and how many multiprocessors each has; not of the emulated one's usual 132, for which all this would take minutes.
fn hoppers() -> Vec<(Stream, usize)> {
    let settled = gradus_shim::uses_real_driver() || std::env::var_os(MULTIPROCESSORS).is_some();
    let all = streams().into_iter().filter(|s| s.gpu().is_hopper());
    let all = all.map(|stream| {
        let multiprocessors = stream.gpu().info().sm_count as usize;
        (stream, multiprocessors)
    });
    if settled {
        return all.collect();
    }
    for (_, multiprocessors) in all {
        println!(
            "SKIPPED: {multiprocessors} emulated multiprocessors take long to fill, the test of one or three does"
        );
    }
    Vec::new()
}

/// Also every comparison of these families again, on a device with one multiprocessor; of Hopper alone, since other kernels have a block for each work.
#[test]
fn one_block_or_three_give_what_each_work_gives_alone() {
    if gradus_shim::uses_real_driver() || std::env::var_os(MULTIPROCESSORS).is_some() {
        println!("SKIPPED: how many multiprocessors there are is settled");
        return;
    }
    let families = &["attention::", "linear::", "cross_entropy::", "persistent::"][..];
    let these = &["persistent::"][..];
    // Sanitizers slow all of this down, and look at addresses, not at values.
    let sanitized = std::env::var_os("GRADUS_SHIM_SANITIZE").is_some();
    let first = if sanitized { these } else { families };
    for (multiprocessors, order, tests) in [("1", "forward", first), ("3", "reverse", these)] {
        let out = Command::new(std::env::current_exe().expect("this program"))
            .args(tests)
            .env(MULTIPROCESSORS, multiprocessors)
            .env("GRADUS_SHIM_CAPABILITY", "9.0")
            .env("GRADUS_SHIM_ORDER", order)
            .output()
            .expect("a child");
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success(), "{multiprocessors}, {order}: {text}");
        assert!(text.contains("persistent::attention"), "{text}");
    }
}

#[test]
fn attention_goes_from_work_to_work() {
    // Of two heads that share keys: 5 works of up to 3 tiles of 128 keys, or 5 of 64, and 2 of 1 or 2.
    let (lengths, works) = ([260, 70], 7);
    let rows: usize = lengths.iter().sum();
    for (stream, multiprocessors) in hoppers() {
        let times = 2 * multiprocessors / works + 2;
        for (d, cap) in [
            (64, None),
            (96, None),
            (128, None),
            (192, None),
            (256, None),
            (128, Some(50.0)),
            (256, Some(50.0)),
        ] {
            let mut case = Attention::new(2, 1, d, rows);
            if let Some(cap) = cap {
                case = case.capped(cap);
            }
            case.check(&stream, &alone(&lengths));
            let few = case.bits(&stream, &alone(&lengths));
            let many = case.with_rows((0..rows).cycle().take(times * rows));
            let many = many.bits(&stream, &alone(&lengths.repeat(times)));
            for (time, bits) in many.chunks(rows * case.width()).enumerate() {
                let first = bits.iter().zip(&few).position(|(a, b)| a != b);
                let row = first.map(|at| at / case.width());
                assert_eq!(row, None, "head size {d}, cap {cap:?}, time {time}");
            }
        }
    }
}

#[test]
fn gated_products_go_from_tile_to_tile() {
    let (few, features) = (97, 200);
    let case = Linear::new(few, 2 * features, 200, 9);
    let values = case.values();
    for (stream, multiprocessors) in hoppers() {
        // 256 rows or 128 by three tiles of 96 features or four of 64.
        let rows = 256 * (2 * multiprocessors / 3 + 2) - 100;
        let (own, all) = (case.upload(&stream), case.repeated(rows).upload(&stream));
        for (activation, into) in GATED {
            let own = own.product(0..few, &Matrix::poisoned(few, features), into);
            let what = format!("{activation:?}, {rows} rows");
            gated_within(&own, &values, activation, &stream, &what);
            let all = all.product(0..rows, &Matrix::poisoned(rows, features), into);
            for row in 0..rows {
                assert_eq!(all.row(row), own.row(row % few), "{what}: row {row}");
            }
        }
    }
}

#[test]
fn heads_go_from_block_to_block_of_the_vocabulary() {
    // Blocks of 8, 8 and 2 tiles of 192 tokens, or 12, 12 and 2 of 128.
    let (few, v, k) = (31, 2 * VOCAB_BLOCK + 200, 130);
    let plain = Head::new(few, v, k, 0);
    let low = Head::new(few, v, k, 5);
    let capped = Head::new(few, v, k, 5).transformed(1.0, Some(30.0));
    let shared_cap = Head::new(few, v, k, 0).transformed(1.0, Some(30.0));
    let other = |head: &Head| head.beside(Operand::random(few, k, 1.0, 99));
    let cases: [&[Head]; 7] = [
        &[low],
        &[Head::new(few, v, k, 5).with_vectors()],
        &[capped],
        &[other(&plain), plain],
        &[other(&shared_cap), shared_cap],
        &[Head::new(few, v, k, 5), Head::new(few, v, k, 4)],
        &[
            Head::new(few, v, k, 5).transformed(1.0, Some(30.0)),
            Head::new(few, v, k, 4).transformed(1.0, Some(30.0)),
        ],
    ];
    for (stream, multiprocessors) in hoppers() {
        // 256 rows by three blocks of the vocabulary, of two models 128.
        let rows = 256 * (2 * multiprocessors / 3 + 2) - 100;
        for (which, heads) in cases.iter().enumerate() {
            let numbers = |rows: usize| {
                let models: Vec<_> = heads
                    .iter()
                    .map(|head| head.repeated(rows).upload(&stream))
                    .collect();
                let models: Vec<_> = models.iter().collect();
                if matches!(which, 3 | 4) {
                    run_with(&stream, &models, 0..rows, &[v], &[], true)
                } else {
                    run(&stream, &models, 0..rows, &[v], &[])
                }
            };
            let (own, all) = (numbers(few), numbers(rows));
            for row in (0..few).step_by(6) {
                let logits: Vec<_> = heads.iter().map(|head| head.logits(row)).collect();
                for (own, logits) in own.iter().zip(&logits) {
                    let (lse, expected) = (own.lse[row], reference::logsumexp(logits));
                    assert!(
                        (lse - expected).abs() <= 1e-5,
                        "{which}, row {row}: {lse}, expected {expected}"
                    );
                }
                if let ([base, other], [_, own]) = (&logits[..], &own[..]) {
                    let (kl, expected) = (own.kl[row], reference::kl(other, base));
                    assert!(
                        (kl - expected).abs() <= 2e-5,
                        "{which}, row {row}: KL {kl}, expected {expected}"
                    );
                }
            }
            for (own, all) in own.iter().zip(&all) {
                for (own, all) in [(&own.lse, &all.lse), (&own.kl, &all.kl)] {
                    for (row, value) in all.iter().enumerate() {
                        let expected = own[row % few];
                        assert_eq!(
                            value.to_bits(),
                            expected.to_bits(),
                            "{which}, row {row} of {rows}: {value}, expected {expected}"
                        );
                    }
                }
            }
        }
    }
}
