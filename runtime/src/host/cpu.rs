//! The processor, and how much of it this process may use.

use gradus_kernels::Isa;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// Instruction set extensions that the kernels ask for or could use.
const OF_INTEREST: [&str; 13] = [
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512_bf16",
    "avx512_vnni",
    "amx_bf16",
    "amx_tile",
    "asimd",
    "bf16",
];

/// The processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cpu {
    /// Its name.
    pub model: Option<String>,
    /// Architecture that the program was built for.
    pub arch: &'static str,
    /// Extensions it has, of those that matter here.
    pub features: Vec<String>,
    /// Instruction set that the kernels choose.
    pub isa: &'static str,
    /// Instruction sets that the kernels could be told to use, best first.
    pub isas: Vec<&'static str>,
    /// Logical processors.
    pub logical: Option<usize>,
    /// Physical cores.
    pub cores: Option<usize>,
    /// Threads that this process may run at once, by affinity and quota.
    pub threads: usize,
}

impl Cpu {
    /// Of this machine.
    pub fn read() -> Self {
        let info = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
        let (model, features, logical, cores) = parse(&info);
        Self {
            model,
            arch: std::env::consts::ARCH,
            features,
            isa: Isa::detect().name(),
            isas: Isa::available().into_iter().map(Isa::name).collect(),
            logical,
            cores,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

fn parse(info: &str) -> (Option<String>, Vec<String>, Option<usize>, Option<usize>) {
    let fields = |key: &'static str| {
        info.lines().filter_map(move |line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim())
        })
    };
    let model = fields("model name").next().map(str::to_owned);
    let flags = fields("flags")
        .chain(fields("Features"))
        .next()
        .unwrap_or_default();
    let features = OF_INTEREST
        .iter()
        .filter(|name| flags.split_whitespace().any(|flag| flag == **name))
        .map(|name| (*name).to_owned())
        .collect();
    let logical = Some(fields("processor").count()).filter(|count| *count > 0);
    let mut ids: Vec<_> = fields("physical id").zip(fields("core id")).collect();
    ids.sort_unstable();
    ids.dedup();
    let cores = Some(ids.len()).filter(|count| *count > 0);
    (model, features, logical, cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyperthreads_are_not_cores() {
        let one = |processor: u32, core: u32| {
            format!(
                "processor\t: {processor}\nmodel name\t: Some CPU @ 2GHz\nphysical id\t: 0\ncore id\t\t: {core}\n\
                 flags\t\t: fpu avx2 fma avx512f xavx2\n\n"
            )
        };
        let info: String = [(0, 0), (1, 1), (2, 0), (3, 1)]
            .map(|(p, c)| one(p, c))
            .concat();
        let (model, features, logical, cores) = parse(&info);
        assert_eq!(model.as_deref(), Some("Some CPU @ 2GHz"));
        assert_eq!(features, ["avx2", "fma", "avx512f"]);
        assert_eq!((logical, cores), (Some(4), Some(2)));
        assert_eq!(parse(""), (None, vec![], None, None));
    }
}
