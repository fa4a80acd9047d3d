//! A program that starts a job for each line it reads, and says how long that took.
//!
//! ```text
//! supervisor STATE ROOTFS PROGRAM [ARGUMENT]...
//! ```
//! The next job's watcher is started while there is nothing else to do, as a supervisor that lives long would.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use gradus_sandbox::job::{Job, Limits, Network, ScratchKind};
use gradus_sandbox::sandbox::Sandbox;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(state), Some(rootfs)) = (arguments.next(), arguments.next()) else {
        return Err("supervisor STATE ROOTFS PROGRAM [ARGUMENT]...".into());
    };
    let sandbox = Sandbox::open(state.as_ref())?;
    let job = Job {
        name: "one".to_owned(),
        layers: vec![PathBuf::from(rootfs)],
        writable_root: true,
        argv: arguments.collect(),
        env: vec!["PATH=/bin".to_owned()],
        cwd: "/".to_owned(),
        uid: 0,
        gid: 0,
        inputs: Vec::new(),
        outputs: Vec::new(),
        network: Network::default(),
        scratch: ScratchKind::Memory,
        limits: Limits::default(),
        best_effort: false,
        record_refused: false,
    };
    sandbox.prepare()?;
    for line in io::stdin().lock().lines() {
        line?;
        let begun = Instant::now();
        let mut started = sandbox.start(&job)?;
        let ended = started.wait()?;
        sandbox.finish(started)?;
        let took = begun.elapsed();
        println!("{:.3} ms: {:?}", took.as_secs_f64() * 1e3, ended.outcome);
        io::stdout().flush()?;
        sandbox.prepare()?;
    }
    Ok(())
}
