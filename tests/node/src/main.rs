//! A double of the chain's node that a person or a script starts: prints what it is as a line of JSON, and serves until it is ended.
//!
//! ```text
//! gradus-node [--port N] [--tick-ms N] [--tempo N] [--rate-limit N] [--commit-reveal] [--spec 365|439|461] [--validator ADDRESS]… [--miner ADDRESS]…
//! ```
//!
//! The chain's time runs with the clock: a block every tick. Validators and miners have uids in the order in which they are named, on subnet 56.

use gradus_node::{Blocks, Chain, ChainConfig, Neuron, Node, Spec, SubnetConfig, address, hex};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("gradus-node: {why}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let mut subnet = SubnetConfig::default();
    let (mut port, mut tick_ms, mut spec) = (0, 250, Spec::V461);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let mut value = || {
            let value = arguments.next();
            value.ok_or_else(|| format!("{option} takes a value"))
        };
        match option.as_str() {
            "--port" => port = number(&option, &value()?)?,
            "--tick-ms" => tick_ms = number(&option, &value()?)?,
            "--tempo" => subnet.tempo = number(&option, &value()?)?,
            "--rate-limit" => subnet.weights_set_rate_limit = number(&option, &value()?)?,
            "--commit-reveal" => subnet.commit_reveal = true,
            "--spec" => {
                spec = match value()?.as_str() {
                    "365" => Spec::V365,
                    "439" => Spec::V439,
                    "461" => Spec::V461,
                    other => return Err(format!("--spec is 365, 439 or 461, not {other}")),
                }
            }
            "--validator" => subnet.neurons.push(Neuron::validator(account(&value()?)?)),
            "--miner" => subnet.neurons.push(Neuron::miner(account(&value()?)?)),
            _ => return Err(format!("{option} is no option of it")),
        }
    }
    if tick_ms == 0 {
        return Err("--tick-ms is at least 1".into());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let start_ms = now.map_err(|_| "the clock is before 1970")?.as_millis() as u64;
    let chain = Chain::start(ChainConfig {
        spec,
        blocks: Blocks::Every(Duration::from_millis(tick_ms)),
        start_ms,
        block_time_ms: tick_ms,
        subnets: vec![subnet],
        ..ChainConfig::default()
    });
    let node = Node::serve_at(&chain, port).map_err(|error| format!("port {port}: {error}"))?;
    let drand = chain.drand();
    let line = serde_json::json!({
        "url": node.url(),
        "genesis_hash": hex::encode(&chain.genesis_hash()),
        "drand_public_key": drand.public_key(),
        "drand_genesis_s": drand.genesis_s(),
        "drand_period_s": drand.period_s(),
    });
    println!("{line}");
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    loop {
        std::thread::park();
    }
}

fn number<N: std::str::FromStr>(option: &str, value: &str) -> Result<N, String> {
    value
        .parse()
        .map_err(|_| format!("{option} takes a number, not {value}"))
}

fn account(text: &str) -> Result<[u8; 32], String> {
    let account = hex::hash(text).or_else(|| address::decode(text));
    account.ok_or_else(|| format!("{text} is no account's address"))
}
