//! The process and the machine it runs on.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Answer, Data};
use crate::{
    server::Shared,
    system::{Cpu, Process, ResourceUsage, wall_clock_ms},
};

/// The process and the machine in short.
#[derive(Debug, Serialize, ToSchema)]
struct Summaries {
    /// Whether everything could be read.
    ok: bool,
    /// The wall clock, ms.
    now_ms: i64,
    #[serde(rename = "self")]
    process: ProcessSummary,
    system: MachineSummary,
}

/// The process in short.
#[derive(Debug, Serialize, ToSchema)]
struct ProcessSummary {
    version: &'static str,
    pid: i64,
    ppid: i64,
    argv: String,
    cwd: String,
    /// Resident memory.
    mem_kbyte: i64,
    /// Its share of the machine's memory; 1 is all of it.
    mem_percent: f64,
    /// CPU time per time; 1 is one core.
    cpu_percent: f64,
    /// Seconds since the server started.
    srs_uptime: i64,
}

/// The machine in short; shares are parts of 1.
#[derive(Debug, Serialize, ToSchema)]
struct MachineSummary {
    cpu_percent: f64,
    #[serde(rename = "disk_read_KBps")]
    disk_read: i64,
    #[serde(rename = "disk_write_KBps")]
    disk_write: i64,
    disk_busy_percent: f64,
    mem_ram_kbyte: i64,
    mem_ram_percent: f64,
    mem_swap_kbyte: i64,
    mem_swap_percent: f64,
    cpus: i64,
    cpus_online: i64,
    /// Seconds.
    uptime: f64,
    /// Seconds, summed over all processors; the name is SRS's.
    ilde_time: f64,
    load_1m: f64,
    load_5m: f64,
    load_15m: f64,
    /// When the network was read, wall clock in ms.
    net_sample_time: i64,
    /// Bytes of interfaces with a public address.
    net_recv_bytes: i64,
    net_send_bytes: i64,
    /// Bytes of all others.
    net_recvi_bytes: i64,
    net_sendi_bytes: i64,
    /// When this server's bytes were counted, wall clock in ms.
    srs_sample_time: i64,
    /// Bytes of this server's publishers and players.
    srs_recv_bytes: u64,
    srs_send_bytes: u64,
    /// TCP sockets of the machine.
    conn_sys: i64,
    /// Those that stand.
    conn_sys_et: i64,
    /// Those that wait for late packets.
    conn_sys_tw: i64,
    /// UDP sockets of the machine.
    conn_sys_udp: i64,
    /// Connections of this server.
    conn_srs: usize,
}

/// The process and the machine in short.
#[utoipa::path(get, path = "/api/v1/summaries", responses((status = 200, body = Answer<Data<Summaries>>)))]
pub(super) async fn summaries(State(shared): State<Arc<Shared>>) -> Response {
    shared.clients.refresh();
    let now_ms = wall_clock_ms();
    let sample = shared.system.latest();
    let reading = &sample.reading;
    let (memory, process) = (&reading.memory, &reading.process);
    let (network, sockets) = (&reading.network, &reading.sockets);
    let (mem_ram_percent, mem_swap_percent) = memory_shares(&shared);
    let mem_kbyte = process.rss.saturating_mul(PAGE_KBYTE);
    let cwd = std::env::current_dir().unwrap_or_default();
    let data = Summaries {
        ok: reading.ok,
        now_ms,
        process: ProcessSummary {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id().into(),
            ppid: process.ppid,
            argv: std::env::args_os()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" "),
            cwd: cwd.to_string_lossy().into_owned(),
            mem_kbyte,
            mem_percent: share(mem_kbyte, memory.total),
            cpu_percent: sample.process_cpu,
            srs_uptime: (now_ms - shared.system.started_ms).max(0) / 1000,
        },
        system: MachineSummary {
            cpu_percent: sample.system_cpu,
            disk_read: sample.disk_read,
            disk_write: sample.disk_write,
            disk_busy_percent: sample.disk_busy,
            mem_ram_kbyte: memory.total,
            mem_ram_percent,
            mem_swap_kbyte: memory.swap_total,
            mem_swap_percent,
            cpus: reading.cpus,
            cpus_online: reading.cpus,
            uptime: reading.uptime,
            ilde_time: reading.idle_time,
            load_1m: reading.load[0],
            load_5m: reading.load[1],
            load_15m: reading.load[2],
            net_sample_time: reading.time_ms,
            net_recv_bytes: network.outer_received,
            net_send_bytes: network.outer_sent,
            net_recvi_bytes: network.inner_received,
            net_sendi_bytes: network.inner_sent,
            srs_sample_time: now_ms,
            srs_recv_bytes: shared.clients.meter().received(),
            srs_send_bytes: shared.clients.meter().sent(),
            conn_sys: sockets.tcp,
            conn_sys_et: sockets.established,
            conn_sys_tw: sockets.time_wait,
            conn_sys_udp: sockets.udp,
            conn_srs: shared.connections(),
        },
    };
    Answer::new(&shared, Data { data }).into_response()
}

/// Kilobytes in one page of memory, as SRS takes them to be.
const PAGE_KBYTE: i64 = 4;

/// What the process has used, as getrusage(2) tells.
#[derive(Debug, Serialize, ToSchema)]
struct Rusages {
    ok: bool,
    sample_time: i64,
    #[serde(flatten)]
    usage: ResourceUsage,
}

/// What the process has used, as getrusage(2) tells.
#[utoipa::path(get, path = "/api/v1/rusages", responses((status = 200, body = Answer<Data<Rusages>>)))]
pub(super) async fn rusages(State(shared): State<Arc<Shared>>) -> Response {
    let usage = ResourceUsage::now();
    let data = Rusages {
        ok: usage.is_some(),
        sample_time: wall_clock_ms(),
        usage: usage.unwrap_or_default(),
    };
    Answer::new(&shared, Data { data }).into_response()
}

/// The process, as `/proc/self/stat` has it.
#[derive(Debug, Serialize, ToSchema)]
struct SelfProcStats {
    ok: bool,
    sample_time: i64,
    /// CPU time per time; 1 is one core.
    percent: f64,
    #[serde(flatten)]
    process: Process,
}

/// The process, as `/proc/self/stat` has it.
#[utoipa::path(get, path = "/api/v1/self_proc_stats", responses((status = 200, body = Answer<Data<SelfProcStats>>)))]
pub(super) async fn self_proc_stats(State(shared): State<Arc<Shared>>) -> Response {
    let sample = shared.system.latest();
    let data = SelfProcStats {
        ok: sample.reading.ok,
        sample_time: sample.reading.time_ms,
        percent: sample.process_cpu,
        process: sample.reading.process.clone(),
    };
    Answer::new(&shared, Data { data }).into_response()
}

/// The machine's CPU time, as `/proc/stat` has it.
#[derive(Debug, Serialize, ToSchema)]
struct SystemProcStats {
    ok: bool,
    sample_time: i64,
    /// The share that wasn't idle.
    percent: f64,
    #[serde(flatten)]
    cpu: Cpu,
}

/// The machine's CPU time, as `/proc/stat` has it.
#[utoipa::path(get, path = "/api/v1/system_proc_stats", responses((status = 200, body = Answer<Data<SystemProcStats>>)))]
pub(super) async fn system_proc_stats(State(shared): State<Arc<Shared>>) -> Response {
    let sample = shared.system.latest();
    let data = SystemProcStats {
        ok: sample.reading.ok,
        sample_time: sample.reading.time_ms,
        percent: sample.system_cpu,
        cpu: sample.reading.cpu,
    };
    Answer::new(&shared, Data { data }).into_response()
}

/// The machine's memory, kbyte.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct MemInfos {
    #[serde(rename = "ok")]
    ok: bool,
    #[serde(rename = "sample_time")]
    sample_time: i64,
    #[serde(rename = "percent_ram")]
    percent_ram: f64,
    #[serde(rename = "percent_swap")]
    percent_swap: f64,
    mem_active: i64,
    real_in_use: i64,
    not_in_use: i64,
    mem_total: i64,
    mem_free: i64,
    buffers: i64,
    cached: i64,
    swap_total: i64,
    swap_free: i64,
}

/// The machine's memory.
#[utoipa::path(get, path = "/api/v1/meminfos", responses((status = 200, body = Answer<Data<MemInfos>>)))]
pub(super) async fn meminfos(State(shared): State<Arc<Shared>>) -> Response {
    let sample = shared.system.latest();
    let memory = &sample.reading.memory;
    let (percent_ram, percent_swap) = memory_shares(&shared);
    let data = MemInfos {
        ok: sample.reading.ok,
        sample_time: sample.reading.time_ms,
        percent_ram,
        percent_swap,
        mem_active: memory.total - memory.free,
        real_in_use: memory.in_use(),
        not_in_use: memory.total - memory.in_use(),
        mem_total: memory.total,
        mem_free: memory.free,
        buffers: memory.buffers,
        cached: memory.cached,
        swap_total: memory.swap_total,
        swap_free: memory.swap_free,
    };
    Answer::new(&shared, Data { data }).into_response()
}

/// The shares of the memory and of the swap space that are in use.
fn memory_shares(shared: &Shared) -> (f64, f64) {
    let memory = shared.system.latest().reading.memory;
    let swapped = memory.swap_total - memory.swap_free;
    (share(memory.in_use(), memory.total), share(swapped, memory.swap_total))
}

fn share(part: i64, whole: i64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 0.0 }
}
