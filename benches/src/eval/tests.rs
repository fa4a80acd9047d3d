use super::*;
use gradus_kernels::device::Gpu;
use tempfile::TempDir;

/// A tiny model with ids and adapters, on disk.
struct World {
    directory: TempDir,
    adapters: Vec<PathBuf>,
    shape: EvalShape,
}

impl World {
    fn new(adapters: Adapters) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shape = EvalShape {
            name: "tiny".to_owned(),
            model: ModelShape::named("tiny").unwrap(),
            rows: 5,
            tokens: 37,
        };
        write_checkpoint(&shape.model, shape.tokens, directory.path()).unwrap();
        let place = directory.path().join("adapters");
        let adapters = write_adapters(&shape.model, adapters, &place).unwrap();
        Self {
            directory,
            adapters,
            shape,
        }
    }

    fn losses(&self, compute: Compute<'_>, adapters: &[PathBuf]) -> Vec<Vec<Vec<f64>>> {
        let request = TokenRequest {
            checkpoint: self.directory.path(),
            adapters,
            rows: &self.shape.ids(),
            memory_bytes: 1 << 30,
        };
        token_losses(compute, &request, &mut |_| {}).unwrap().losses
    }
}

fn gpus() -> Vec<std::sync::Arc<Gpu>> {
    gradus_shim::install();
    (0..Gpu::count().unwrap())
        .map(|ordinal| Gpu::open(ordinal).unwrap())
        .collect()
}

fn mean(losses: &[Vec<f64>]) -> f64 {
    let all = losses.concat();
    all.iter().sum::<f64>() / all.len() as f64
}

#[test]
fn candidates_together_have_the_bits_of_each_alone_and_are_near_the_processors() {
    let world = World::new(Adapters { count: 3, rank: 5 });
    let cpu = Cpu::new(1).unwrap();
    let want = world.losses(Compute::Cpu(&cpu), &world.adapters);
    let gpus = gpus();
    let devices = gpus.iter().map(Compute::Gpu);
    for device in devices.chain([Compute::Cpu(&cpu)]) {
        let together = world.losses(device, &world.adapters);
        assert_eq!(together.len(), 3);
        for (candidate, adapter) in world.adapters.iter().enumerate() {
            let alone = world.losses(device, std::slice::from_ref(adapter));
            assert!(together[candidate] == alone[0], "candidate {candidate}");
            let apart = (mean(&together[candidate]) - mean(&want[candidate])).abs();
            // The bound of the golden models' means.
            assert!(apart < 0.05, "candidate {candidate}: {apart}");
        }
        assert!(together[0] != together[1] && together[1] != together[2]);
    }
}

#[test]
fn a_gpus_row_is_timed_on_the_wall_and_by_phase() {
    let world = World::new(Adapters { count: 2, rank: 3 });
    let rows = world.shape.ids();
    let job = |adapters| Job {
        checkpoint: world.directory.path(),
        adapters,
        rows: &rows,
        shape: "tiny".to_owned(),
        work: Some(Work {
            flop: 1e6,
            bytes: 1e5,
        }),
        memory_bytes: 1 << 30,
        repeat: 3,
    };
    let cpu = on_cpu(&Cpu::new(1).unwrap(), &job(&[])).unwrap();
    gpus();
    let session = Session::open(0, true).unwrap();
    for adapters in [&[][..], &world.adapters] {
        let run = on_gpu(&session, &job(adapters)).unwrap();
        assert_eq!(
            (run.kind.as_str(), run.machine.clock.as_str()),
            ("eval", "wall")
        );
        let measured = &run.rows[0].measured;
        assert_eq!((measured.wall_us, measured.samples), (Some(measured.us), 3));
        let limit = measured.limit.expect("peaks were measured");
        assert!(limit.percent.p50 > 0.0 && limit.roof_gb_s > 0.0);
        let eval = run.rows[0].eval.as_ref().unwrap();
        let candidates = adapters.len().max(1) as u64;
        assert_eq!((eval.tokens, eval.candidates), (5 * 37, candidates));
        let phases: Vec<_> = eval.phases_s.keys().map(String::as_str).collect();
        assert_eq!(phases, ["close", "head", "layers", "open", "read"]);
        let sum: f64 = eval.phases_s.values().sum();
        let fastest = (eval.tokens * candidates) as f64 / eval.tokens_per_s;
        assert!((sum / fastest - 1.0).abs() < 0.05, "{sum} of {fastest}");
        let weights = world.shape.model.weight_bytes();
        let table = 2.0 * (301 * 96) as f64;
        let read = eval.read_bytes as f64;
        assert_eq!(eval.passes, 1);
        assert!(
            (weights - table..weights + 4096.0).contains(&read),
            "{read}"
        );
        if adapters.is_empty() {
            let want = cpu.rows[0].eval.as_ref().unwrap().nll;
            assert!((eval.nll - want).abs() < 0.05, "{} and {want}", eval.nll);
        }
    }
}

#[test]
fn an_adapter_that_cannot_be_evaluated_is_named() {
    let world = World::new(Adapters { count: 1, rank: 3 });
    let missing = world.directory.path().join("adapters/none");
    let narrow = &world.adapters[0].join("adapter_config.json");
    let config = std::fs::read_to_string(narrow).unwrap();
    std::fs::write(narrow, config.replace("\"r\":3", "\"r\":4")).unwrap();
    let cpu = Cpu::new(1).unwrap();
    for (adapter, reason) in [(&missing, "none"), (&world.adapters[0], "4")] {
        let request = TokenRequest {
            checkpoint: world.directory.path(),
            adapters: std::slice::from_ref(adapter),
            rows: &world.shape.ids(),
            memory_bytes: 1 << 30,
        };
        let error = token_losses(Compute::Cpu(&cpu), &request, &mut |_| {}).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&adapter.display().to_string()), "{text}");
        assert!(text.contains(reason), "{text}");
    }
}
