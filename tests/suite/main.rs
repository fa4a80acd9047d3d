//! Black-box suite: a line per module.
//!
//! | module | what it holds the built binary to |
//! |---|---|
//! | `binary` | (finds and runs it) |
//! | `cli_arguments` | help, versions, and arguments that do not fit |
//! | `cli_eval` | scores of the example, plans, progress lines, exit codes |
//! | `cli_bad_input` | tasks, data and candidates that are not what they say |
//! | `cli_outputs` | result files: whole or not there, readable, self-contained |
//! | `cli_hostile` | candidates with code, pickles, parameters that lie: refused, and the host is as it was |
//! | `cli_interrupt` | Ctrl-C and readers that go away |
//! | `cli_bench` | kernels and models measured, results compared |
//! | `cli_doctor` | what it says of a host |
//! | `gpu_doctor` | GPUs, drivers and faults that a stand-in for NVML shows |
//! | `gpu_lease` | (in this process and children) leases, quarantine, the memory watch |
//! | `rootfs` | (what jobs are run on) |
//! | `cli_tournament` | tournaments: who may enter, files that grow by events, are replayed, shown, reported, and paid |
//! | `cli_tournament_files` | tournaments' files and their outputs: never lost, never made twice, never waited for |
//! | `cli_weights_rows` | rows on chain: whose they are, what they are compared with, when they count |
//! | `cli_weights` | vectors of finished tournaments, records that are recomputed, epochs that are simulated |
//! | `cli_chain` | weights on a double of the chain: shown, set, proven, refused, killed and gone on with |
//! | `cli_chain_read` | what agreeing nodes of the chain say, and nodes that do not agree |
//! | `sandbox` | jobs: what they say and how they end, inputs and outputs, lists, logs, plans |
//! | `sandbox_cli` | jobs, builds and fetches as somebody meets them who does not know them: wrong words, missing places, Ctrl-C |
//! | `sandbox_network` | what is fetched: commits, images, files, from servers with certificates that are right and wrong, over calls that are killed |
//! | `sandbox_trainers` | Dockerfiles of trainers' shapes, from a registry, with packages through the proxy, read by umoci and skopeo |
//! | `sandbox_gpu` | jobs with GPUs, over a driver that is files: given, watched, taken back, in quarantine |
//! | `sandbox_oci` | bundles: from create to delete, hooks, programs beside them, what is refused |
//! | `eval_gpu` | evaluations on emulated GPUs: lost ones, full ones, old ones, none |
//! | `nvrtc` | kernels compiled on the host: notes, and an NVRTC that is old or incomplete |
//! | `eval_parity` | (in this process) rows and means against transformers, peft and axolotl |

mod binary;
mod cli_arguments;
mod cli_bad_input;
mod cli_bench;
#[cfg(target_os = "linux")]
mod cli_chain;
mod cli_chain_read;
mod cli_doctor;
mod cli_eval;
mod cli_hostile;
mod cli_interrupt;
mod cli_outputs;
mod cli_tournament;
#[cfg(target_os = "linux")]
mod cli_tournament_files;
mod cli_weights;
mod cli_weights_rows;
#[cfg(target_os = "linux")]
mod eval_gpu;
mod eval_parity;
#[cfg(target_os = "linux")]
mod gpu_doctor;
#[cfg(target_os = "linux")]
mod gpu_lease;
#[cfg(target_os = "linux")]
mod nvrtc;
#[cfg(target_os = "linux")]
mod rootfs;
#[cfg(target_os = "linux")]
mod sandbox;
mod sandbox_build;
#[cfg(target_os = "linux")]
mod sandbox_cli;
#[cfg(target_os = "linux")]
mod sandbox_gpu;
#[cfg(target_os = "linux")]
mod sandbox_network;
#[cfg(target_os = "linux")]
mod sandbox_oci;
#[cfg(target_os = "linux")]
mod sandbox_trainers;
