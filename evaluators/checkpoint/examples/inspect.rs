//! Opens a model directory, and an adapter on it, and prints what was found.
use gradus_checkpoint::{Adapter, Checkpoint};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let base = Checkpoint::open(
        args.next()
            .ok_or("usage: inspect MODEL [ADAPTER ...]")?
            .as_ref(),
    )?;
    println!("{:#?}", base.config());
    println!("{} parameters", base.parameter_count());
    for note in base.notes() {
        println!("note: {note}");
    }
    for adapter in args {
        let adapter = Adapter::open(adapter.as_ref())?;
        let bound = adapter.bind(&base)?;
        println!(
            "{}: {} modules, {} saved, embedding {}, {} rows",
            adapter.path().display(),
            bound.modules.len(),
            bound.saved.len(),
            bound.embedding.is_some(),
            bound.vocab_rows
        );
        for (module, lora) in bound.modules.iter().take(3) {
            println!("  {module}: rank {} scale {}", lora.rank, lora.scale);
        }
    }
    Ok(())
}
