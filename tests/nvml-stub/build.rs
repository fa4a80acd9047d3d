//! Compiles `stub.c` once for each variant: shared libraries that are named as NVIDIA's is.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=stub.c");
    println!("cargo::rerun-if-env-changed=CC");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // NVML is loaded through dlopen here; tests of it are for Linux alone.
    if os != "linux" {
        return;
    }
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    for (variant, define) in [
        ("current", ""),
        ("old", "-DSTUB_OLD"),
        ("bare", "-DSTUB_BARE"),
        ("alien", "-DSTUB_ALIEN"),
    ] {
        let directory = Path::new(&out).join(variant);
        std::fs::create_dir_all(&directory).expect("OUT_DIR takes directories");
        let mut command = Command::new(&compiler);
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]);
        // The smaller variants leave helpers unused.
        command.args(["-Wno-unused-function", "-Wno-unused-variable"]);
        command.arg("-Wl,-soname,libnvidia-ml.so.1");
        if !define.is_empty() {
            command.arg(define);
        }
        command.arg("-o").arg(directory.join("libnvidia-ml.so.1"));
        command.args(["stub.c", "-lpthread", "-ldl"]);
        let status = command
            .status()
            .unwrap_or_else(|error| panic!("{compiler} does not run: {error}"));
        assert!(status.success(), "{command:?}: {status}");
    }
}
