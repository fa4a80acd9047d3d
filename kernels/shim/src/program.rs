//! Programs out of one `.cu` and the emulator, without a driver.

use std::path::Path;
use std::process::Command;

/// Compiles `source`, which has a `main`, with the emulator into the program `out`, by `CXX` or g++.
///
/// # Panics
/// If it does not compile.
pub fn compile_program(source: &Path, out: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "g++".into()));
    command.args(["-std=c++20", "-O2", "-fno-strict-aliasing", "-pthread"]);
    command.args(["-Wno-unknown-pragmas", "-ffp-contract=off"]);
    if cfg!(target_arch = "x86_64") {
        command.args(["-mfma", "-mf16c", "-mavx2"]);
    }
    for include in ["include", "../include"] {
        command.arg("-I").arg(here.join(include));
    }
    command.args(["-x", "c++"]).arg(source);
    for entry in std::fs::read_dir(here.join("emulator")).expect("the emulator's folder") {
        let path = entry.expect("an entry of it").path();
        if path.extension().is_some_and(|e| e == "cpp") {
            command.arg(path);
        }
    }
    let status = command.arg("-o").arg(out).status().expect("a C++ compiler");
    assert!(status.success(), "{} does not compile", source.display());
}
