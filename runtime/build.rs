//! Embeds `examples/text` in the binary, so that its first command needs no files beside it; and keeps LibTorch's part for GPUs where that
//! is wanted.
//!
//! Only what `gradus eval` reads goes in: the task, its data, the base model, the candidates; and their licence.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    embed_example();
    // At a fixed address 35,000 pointers need not be corrected, on 170 pages of memory of their own, each time the program is started: a
    // third of what `gradus sandbox run` takes by itself. Libraries, stack and heap are where nobody knows all the same.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
    // Its kernels announce themselves when it is loaded. Nothing calls it by name, so a linker would drop it, and LibTorch find no GPU.
    if env::var_os("CARGO_FEATURE_LIBTORCH_CUDA").is_some() {
        println!(
            "cargo::rustc-link-arg-bins=-Wl,--push-state,--no-as-needed,-ltorch_cuda,--pop-state"
        );
    }
}

fn embed_example() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let example = manifest.join("../examples/text");
    println!("cargo::rerun-if-changed={}", example.display());
    let mut files = Vec::new();
    for part in [
        "LICENSE.wordnet",
        "task.json",
        "data/eval.json",
        "model",
        "candidates",
    ] {
        collect(&example.join(part), part, &mut files);
    }
    files.sort();
    let mut source = String::from(
        "/// Name inside the example, and bytes.\npub(super) const FILES: &[(&str, &[u8])] = &[\n",
    );
    for (name, path) in files {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(
            source,
            "    ({name:?}, include_bytes!({:?})),",
            path.display().to_string()
        )
        .expect("a string grows");
    }
    source.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("example_files.rs"), source).expect("OUT_DIR is writable");
}

fn collect(path: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) {
    if path.is_file() {
        files.push((name.to_owned(), path.to_owned()));
    }
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let child = entry.file_name();
        let child = child.to_str().expect("the example's file names are ASCII");
        collect(&entry.path(), &format!("{name}/{child}"), files);
    }
}
