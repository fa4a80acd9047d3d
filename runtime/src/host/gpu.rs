//! Whether a CUDA driver is here. Nothing is loaded: its files tell.

use serde::Serialize;
use std::fs;
use std::path::Path;

/// What is here of CUDA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Version of the kernel driver.
    pub driver: Option<String>,
    /// GPUs that the driver shows this process.
    pub devices: usize,
    /// The driver's library is where the loader looks.
    pub library: bool,
}

impl Gpu {
    /// Of this machine.
    pub fn read() -> Self {
        Self::read_under(Path::new("/"))
    }

    /// As [`Gpu::read`], with every path under `root`.
    pub fn read_under(root: &Path) -> Self {
        const LIBRARY: [&str; 6] = [
            "usr/lib/x86_64-linux-gnu/libcuda.so.1",
            "usr/lib/aarch64-linux-gnu/libcuda.so.1",
            "usr/lib64/libcuda.so.1",
            "usr/lib/libcuda.so.1",
            "usr/lib/wsl/lib/libcuda.so.1",
            "usr/local/nvidia/lib64/libcuda.so.1",
        ];
        let version =
            fs::read_to_string(root.join("proc/driver/nvidia/version")).unwrap_or_default();
        let driver = version
            .lines()
            .next()
            .and_then(|line| line.split_whitespace().find(|word| is_version(word)))
            .map(str::to_owned);
        let devices = fs::read_dir(root.join("dev")).map_or(0, |entries| {
            entries
                .flatten()
                .filter(|entry| {
                    let name = entry.file_name();
                    name.to_str()
                        .and_then(|name| name.strip_prefix("nvidia"))
                        .is_some_and(|rest| {
                            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit())
                        })
                })
                .count()
        });
        Self {
            driver,
            devices,
            library: LIBRARY.iter().any(|path| root.join(path).exists()),
        }
    }
}

fn is_version(word: &str) -> bool {
    word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_told_by_its_files() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            Gpu::read_under(root.path()),
            Gpu {
                driver: None,
                devices: 0,
                library: false
            }
        );
        for name in [
            "proc/driver/nvidia/version",
            "dev/nvidia0",
            "dev/nvidia1",
            "dev/nvidiactl",
            "usr/lib64/libcuda.so.1",
        ] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(
                path,
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.10  Wed Jan 1\n",
            )
            .unwrap();
        }
        let expected = Gpu {
            driver: Some("570.86.10".to_owned()),
            devices: 2,
            library: true,
        };
        assert_eq!(Gpu::read_under(root.path()), expected);
    }
}
