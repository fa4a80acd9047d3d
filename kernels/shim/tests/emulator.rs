//! The emulator's primitives against their definitions, and bugs planted in kernels, which it has to find.

use gradus_shim::compile_program;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds `primitives.cu` with the emulator's sources into one program.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("primitives");
        compile_program(&here.join("tests/primitives.cu"), &out);
        out
    })
}

/// Exit code and output of a case.
fn case(name: &str, order: &str) -> (i32, String) {
    let output = Command::new(program())
        .args([name, order])
        .output()
        .expect("the program starts");
    let code = output
        .status
        .code()
        .unwrap_or_else(|| panic!("{name} died: {:?}", output.status));
    (code, String::from_utf8_lossy(&output.stdout).into_owned())
}

fn passes(name: &str) {
    for order in ["forward", "reverse"] {
        let (code, text) = case(name, order);
        assert_eq!(code, 0, "{name}, {order}: {text}");
    }
}

fn is_found(name: &str, report: &str) {
    for order in ["forward", "reverse"] {
        let (code, text) = case(name, order);
        assert!(
            code == 2 && text.contains(report),
            "{name}, {order}: exit {code}, {text}"
        );
        assert!(
            text.contains(&format!("kernel gradus_{name}, block (0,0,0)")),
            "{text}"
        );
    }
}

#[test]
fn mma_and_ldmatrix_agree_with_the_product() {
    passes("mma");
}

#[test]
fn wgmma_reads_swizzled_transposed_and_register_operands() {
    passes("wgmma");
}

#[test]
fn a_box_over_the_edge_is_zero_outside() {
    passes("edge");
}

#[test]
fn shuffles_skip_lanes_that_exited_or_never_were() {
    passes("masks");
}

#[test]
fn a_divergent_barrier_is_a_deadlock_that_names_both_places() {
    is_found("divergent_barrier", "named barrier");
}

#[test]
fn a_warp_in_two_barriers_is_divergent() {
    is_found("divergent_warp", "divergent barrier");
}

#[test]
fn a_missing_barrier_gives_other_results_in_reverse() {
    let (forward, reverse) = (case("race", "forward"), case("race", "reverse"));
    assert_eq!((forward.0, reverse.0), (0, 0));
    assert_ne!(forward.1, reverse.1);
}

#[test]
fn copies_are_poison_until_their_wait() {
    passes("copy_without_wait");
}

#[test]
fn bulk_loads_are_poison_until_the_mbarrier() {
    passes("load_without_wait");
}

#[test]
fn bytes_that_never_come_are_a_deadlock_with_the_count() {
    is_found("missing_bytes", "64 bytes missing");
}

#[test]
fn shared_memory_is_poison_at_the_start_of_every_block() {
    passes("stale_shared");
}

#[test]
fn a_write_past_dynamic_shared_memory_is_found() {
    is_found("past_the_end", "outside its 20480 bytes");
}
