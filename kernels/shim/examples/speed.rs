//! How fast the emulator is on one core: the table of `README.md`, on this machine.

use std::path::Path;
use std::process::{Command, exit};

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = gradus_shim::library_dir().join("speed");
    gradus_shim::compile_program(&here.join("examples/speed.cu"), &program);
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find(|line| line.starts_with("model name"));
    let name = name.and_then(|line| line.split(": ").nth(1));
    println!("one core of {}", name.unwrap_or("an unknown processor"));
    let status = Command::new(program).status().expect("the program starts");
    exit(status.code().unwrap_or(1));
}
