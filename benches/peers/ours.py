"""`gradus bench eval` on a checkpoint and ids, as one of the peers' lines."""
import json, subprocess


def ours_on(gradus, directory, threads, env=None, repeat=1, rows="0"):
    command = [gradus, "bench", "eval", directory, "--threads", str(threads), "--repeat", str(repeat), "--json", "-"] + (["--rows", rows] if rows != "0" else [])
    run = json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)
    row = run["rows"][0]
    cpu, tokens = row["us"]["p10"] / 1e6, row["eval"]["tokens"]
    return dict(peer=run["program"], dtype="f32", threads=threads, tokens=tokens, wall=row["wall_us"]["p10"] / 1e6, cpu=cpu,
                tokens_per_cpu_s=row["eval"]["tokens_per_cpu_s"], nll=row["eval"]["nll"])
