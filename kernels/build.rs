//! Embeds the kernels' sources: a table of modules and headers, with the hash that `kernels/cubins/sources.py` computes too.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=include");
    println!("cargo:rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut files = Vec::new();
    walk(&root.join("src"), &mut files);
    let mut modules = BTreeMap::new();
    for file in files {
        let stem = file.file_stem().expect("a file").to_string_lossy();
        let folder = file.parent().and_then(Path::file_name).expect("a folder");
        let name = format!(
            "{}{}",
            folder.to_string_lossy(),
            stem.trim_start_matches("kernel")
        );
        let other = modules.insert(name.clone(), file);
        assert!(other.is_none(), "two kernel files make module {name}");
    }
    let (mut headers, mut rows) = (BTreeSet::new(), String::new());
    for (name, file) in &modules {
        let includes = closure(&root, file);
        let mut state = Sha256::new();
        put(&mut state, &read(file));
        for include in &includes {
            put(&mut state, include.as_bytes());
            put(&mut state, &read(&root.join("include").join(include)));
        }
        let hash: [u8; 32] = state.finalize().into();
        let path = file.strip_prefix(&root).expect("below the root");
        writeln!(
            rows,
            "    Source {{ name: {name:?}, path: {:?}, text: include_str!({:?}), includes: &{:?}, hash: {hash:?} }},",
            path.to_string_lossy(),
            file.to_string_lossy(),
            includes.iter().collect::<Vec<_>>(),
        )
        .expect("a string takes all");
        headers.extend(includes);
    }
    let mut table = format!("pub(super) static SOURCES: &[Source] = &[\n{rows}];\n");
    table += "pub(super) static HEADERS: &[(&str, &str)] = &[\n";
    for name in headers {
        let file = root.join("include").join(&name);
        writeln!(
            table,
            "    ({name:?}, include_str!({:?})),",
            file.to_string_lossy()
        )
        .expect("a string takes all");
    }
    table += "];\n";
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("kernel_sources.rs"), table).expect("cargo's folder takes files");
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            walk(&path, found);
        } else if name.starts_with("kernel") && name.ends_with(".cu") {
            found.push(path);
        }
    }
}

/// Files that `file` includes, at any depth; names that are not below include/ belong to the emulator.
fn closure(root: &Path, file: &Path) -> BTreeSet<String> {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![file.to_owned()]);
    while let Some(next) = waiting.pop() {
        let text = String::from_utf8(read(&next)).expect("sources are UTF-8");
        for line in text.lines() {
            let Some(rest) = line.trim_start().strip_prefix('#') else {
                continue;
            };
            let Some(rest) = rest.trim_start().strip_prefix("include") else {
                continue;
            };
            let Some(rest) = rest.trim_start().strip_prefix('"') else {
                continue;
            };
            let Some((name, _)) = rest.split_once('"') else {
                continue;
            };
            let header = root.join("include").join(name);
            if header.is_file() && seen.insert(name.to_owned()) {
                waiting.push(header);
            }
        }
    }
    seen
}

fn put(state: &mut Sha256, data: &[u8]) {
    state.update((data.len() as u64).to_le_bytes());
    state.update(data);
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
