//! Linux tells in `/proc`.

use std::{collections::HashSet, net::IpAddr};

use nix::ifaddrs::getifaddrs;
use procfs::{Current, CurrentSI, ProcResult, process};

use super::{Cpu, Disk, Memory, Network, Process, Reading, Sockets, wall_clock_ms};

/// Reads everything; what can't be read stays zero.
pub(super) fn read() -> Reading {
    let mut reading = Reading {
        ok: true,
        time_ms: wall_clock_ms(),
        ticks_per_second: signed(procfs::ticks_per_second()),
        ..Reading::default()
    };
    let parts: [fn(&mut Reading) -> ProcResult<()>; 7] =
        [own_process, cpus, memory, load, disks, network, sockets];
    for part in parts {
        // One that a container hides must not hide the others.
        reading.ok &= part(&mut reading).is_ok();
    }
    reading
}

fn own_process(reading: &mut Reading) -> ProcResult<()> {
    let stat = process::Process::myself()?.stat()?;
    reading.process = Process {
        pid: stat.pid.into(),
        comm: stat.comm,
        state: stat.state.to_string(),
        ppid: stat.ppid.into(),
        pgrp: stat.pgrp.into(),
        session: stat.session.into(),
        tty_nr: stat.tty_nr.into(),
        tpgid: stat.tpgid.into(),
        flags: stat.flags.into(),
        minflt: signed(stat.minflt),
        cminflt: signed(stat.cminflt),
        majflt: signed(stat.majflt),
        cmajflt: signed(stat.cmajflt),
        utime: signed(stat.utime),
        stime: signed(stat.stime),
        cutime: stat.cutime,
        cstime: stat.cstime,
        priority: stat.priority,
        nice: stat.nice,
        num_threads: stat.num_threads,
        itrealvalue: stat.itrealvalue,
        starttime: signed(stat.starttime),
        vsize: signed(stat.vsize),
        rss: signed(stat.rss),
        rsslim: signed(stat.rsslim),
        startcode: signed(stat.startcode),
        endcode: signed(stat.endcode),
        startstack: signed(stat.startstack),
        kstkesp: signed(stat.kstkesp),
        kstkeip: signed(stat.kstkeip),
        signal: signed(stat.signal),
        blocked: signed(stat.blocked),
        sigignore: signed(stat.sigignore),
        sigcatch: signed(stat.sigcatch),
        wchan: signed(stat.wchan),
        nswap: signed(stat.nswap),
        cnswap: signed(stat.cnswap),
        exit_signal: stat.exit_signal.unwrap_or(0).into(),
        processor: stat.processor.unwrap_or(0).into(),
        rt_priority: stat.rt_priority.unwrap_or(0).into(),
        policy: stat.policy.unwrap_or(0).into(),
        delayacct_blkio_ticks: signed(stat.delayacct_blkio_ticks.unwrap_or(0)),
        guest_time: signed(stat.guest_time.unwrap_or(0)),
        cguest_time: stat.cguest_time.unwrap_or(0),
    };
    Ok(())
}

fn cpus(reading: &mut Reading) -> ProcResult<()> {
    let stats = procfs::KernelStats::current()?;
    let total = &stats.total;
    let or_zero = |value: Option<u64>| signed(value.unwrap_or(0));
    reading.cpus = stats.cpu_time.len() as i64;
    reading.cpu = Cpu {
        user: signed(total.user),
        nice: signed(total.nice),
        sys: signed(total.system),
        idle: signed(total.idle),
        iowait: or_zero(total.iowait),
        irq: or_zero(total.irq),
        softirq: or_zero(total.softirq),
        steal: or_zero(total.steal),
        guest: or_zero(total.guest),
    };
    Ok(())
}

fn memory(reading: &mut Reading) -> ProcResult<()> {
    let info = procfs::Meminfo::current()?;
    let kbyte = |bytes: u64| signed(bytes / 1024);
    reading.memory = Memory {
        total: kbyte(info.mem_total),
        free: kbyte(info.mem_free),
        buffers: kbyte(info.buffers),
        cached: kbyte(info.cached),
        swap_total: kbyte(info.swap_total),
        swap_free: kbyte(info.swap_free),
    };
    Ok(())
}

fn load(reading: &mut Reading) -> ProcResult<()> {
    let load = procfs::LoadAverage::current()?;
    reading.load = [load.one.into(), load.five.into(), load.fifteen.into()];
    let uptime = procfs::Uptime::current()?;
    (reading.uptime, reading.idle_time) = (uptime.uptime, uptime.idle);
    Ok(())
}

/// Whole disks only: partitions would count twice, and memory is no disk.
fn disks(reading: &mut Reading) -> ProcResult<()> {
    const SECTORS_PER_KBYTE: u64 = 2;
    let disks: HashSet<String> = std::fs::read_dir("/sys/block")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| ["loop", "ram", "zram", "dm-", "md"].iter().all(|no| !name.starts_with(no)))
        .collect();
    let mut all = Disk::default();
    for disk in procfs::diskstats()?.iter().filter(|disk| disks.contains(&disk.name)) {
        all.read_kbyte += signed(disk.sectors_read / SECTORS_PER_KBYTE);
        all.written_kbyte += signed(disk.sectors_written / SECTORS_PER_KBYTE);
        all.busy_ms = all.busy_ms.max(signed(disk.time_in_progress));
    }
    reading.disk = all;
    Ok(())
}

fn network(reading: &mut Reading) -> ProcResult<()> {
    let public: HashSet<String> = getifaddrs()
        .into_iter()
        .flatten()
        .filter(|interface| {
            let address = interface.address.as_ref();
            let v4 = address.and_then(|address| Some(address.as_sockaddr_in()?.ip().into()));
            let v6 = address.and_then(|address| Some(address.as_sockaddr_in6()?.ip().into()));
            v4.or(v6).is_some_and(is_public)
        })
        .map(|interface| interface.interface_name)
        .collect();
    let mut all = Network::default();
    for (name, device) in procfs::net::dev_status()? {
        let (received, sent) = match public.contains(&name) {
            true => (&mut all.outer_received, &mut all.outer_sent),
            false => (&mut all.inner_received, &mut all.inner_sent),
        };
        *received += signed(device.recv_bytes);
        *sent += signed(device.sent_bytes);
    }
    reading.network = all;
    Ok(())
}

/// From the kernel's own counts: to list every socket takes too long where there are many.
fn sockets(reading: &mut Reading) -> ProcResult<()> {
    let v4 = std::fs::read_to_string("/proc/net/sockstat")?;
    // A machine without IPv6 has no such file.
    let v6 = std::fs::read_to_string("/proc/net/sockstat6").unwrap_or_default();
    let count = |name| count(&v4, name);
    let count6 = |protocol, name| self::count(&v6, (protocol, name));
    reading.sockets = Sockets {
        tcp: count(("TCP:", "inuse")) + count6("TCP6:", "inuse") + count(("TCP:", "tw")),
        established: signed(procfs::net::snmp()?.tcp_curr_estab),
        time_wait: count(("TCP:", "tw")),
        udp: count(("UDP:", "inuse")) + count6("UDP6:", "inuse"),
    };
    Ok(())
}

/// The number behind a name in a line of `sockstat`.
fn count(text: &str, (line, name): (&str, &str)) -> i64 {
    let line = text.lines().find_map(|found| found.strip_prefix(line)).unwrap_or_default();
    let mut words = line.split_whitespace().skip_while(|word| *word != name);
    words.nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || is_shared)
        }
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local()),
    }
}

/// As SRS tells it: what doesn't fit wraps to a negative number.
fn signed(value: u64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted_by_name() {
        let text = "sockets: used 9\nTCP: inuse 40 orphan 0 tw 7 alloc 45 mem 1\nUDP: inuse 3\n";
        assert_eq!(count(text, ("TCP:", "inuse")), 40);
        assert_eq!(count(text, ("TCP:", "tw")), 7);
        assert_eq!(count(text, ("UDP:", "inuse")), 3);
        assert_eq!(count(text, ("UDP:", "tw")), 0);
        assert_eq!(count("", ("UDP:", "inuse")), 0);
    }

    #[test]
    fn private_addresses_are_inner() {
        for inner in ["10.1.2.3", "127.0.0.1", "100.64.0.1", "169.254.1.1", "fe80::1", "fd00::1"] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
        for outer in ["8.8.8.8", "100.128.0.1", "2001:db8::1"] {
            assert!(is_public(outer.parse().unwrap()), "{outer}");
        }
    }
}
