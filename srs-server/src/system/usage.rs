//! What the process has used of the machine.

use serde::Serialize;
use utoipa::ToSchema;

/// What the process has used so far, as getrusage(2) tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[allow(missing_docs)] // The names are those of getrusage(2), and explained there.
pub struct ResourceUsage {
    pub ru_utime: i64,
    pub ru_stime: i64,
    pub ru_maxrss: i64,
    pub ru_ixrss: i64,
    pub ru_idrss: i64,
    pub ru_isrss: i64,
    pub ru_minflt: i64,
    pub ru_majflt: i64,
    pub ru_nswap: i64,
    pub ru_inblock: i64,
    pub ru_oublock: i64,
    pub ru_msgsnd: i64,
    pub ru_msgrcv: i64,
    pub ru_nsignals: i64,
    pub ru_nvcsw: i64,
    pub ru_nivcsw: i64,
}

impl ResourceUsage {
    /// What this process has used; `None` where the system doesn't tell.
    #[cfg(unix)]
    #[allow(clippy::useless_conversion)] // They have 32 bits on other machines.
    pub fn now() -> Option<Self> {
        use nix::sys::resource::{UsageWho, getrusage};
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        Some(Self {
            ru_utime: usage.user_time().tv_sec().into(),
            ru_stime: usage.system_time().tv_sec().into(),
            ru_maxrss: usage.max_rss().into(),
            ru_ixrss: usage.shared_integral().into(),
            ru_idrss: usage.unshared_data_integral().into(),
            ru_isrss: usage.unshared_stack_integral().into(),
            ru_minflt: usage.minor_page_faults().into(),
            ru_majflt: usage.major_page_faults().into(),
            ru_nswap: usage.full_swaps().into(),
            ru_inblock: usage.block_reads().into(),
            ru_oublock: usage.block_writes().into(),
            ru_msgsnd: usage.ipc_sends().into(),
            ru_msgrcv: usage.ipc_receives().into(),
            ru_nsignals: usage.signals().into(),
            ru_nvcsw: usage.voluntary_context_switches().into(),
            ru_nivcsw: usage.involuntary_context_switches().into(),
        })
    }

    /// What this process has used; `None` where the system doesn't tell.
    #[cfg(not(unix))]
    pub fn now() -> Option<Self> {
        None
    }
}
