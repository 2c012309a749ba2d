//! The page, in Markdown.

mod rtc;

use std::fmt::Write as _;

use super::{
    case::{Group, Kind},
    data::{Data, Measurement},
    goals::goals,
    server::Server,
    table::{Figure, Row, groups, rows},
};

/// Before the tables.
const INTRODUCTION: &str = "\
What a player and a publisher cost on this server in processor time, memory and delay, beside nginx-rtmp and Janus, beside
SRS where it is installed, and beside the least that the kernel lets any server pay. All figures are of one machine and one
day: take the ratios for what they are worth to you, and measure the absolute numbers on your own machine by
`target/release/load report` (see the end of this page).
";

const MEASURE: &str = "\
## What is compared

- **srs-server**: this project, as `cargo build --release` makes it. Where a table names a window, `mw_latency` is set
  to it (0 for every message); else it runs as it comes without a configuration.
- **nginx-rtmp**: Debian's `nginx` with `libnginx-mod-rtmp`, one worker, no access log. It writes every message by itself
  and has no window to set: where a table is of a window, its row is that of the same number of players with every
  message written at once. It has no HTTP-FLV.
- **srs**: SRS, where `srs` is on the path, with `tcp_nodelay on` and the same windows.
- **janus**: Debian's `janus`, with one event loop, ICE lite as srs-server is, and no plugins but two: players watch a
  mountpoint of its streaming plugin, which gets the stream in plain RTP, and publishers have a room of its video room
  each. A core carries two or three hundred: it is measured with no more, and compared by what each costs.
- **limit**: no server but the bound for one: a loop that writes the same bytes, made once, to everybody, one write per
  player and window, and reads and drops what is published. What it costs is what the kernel costs. By WebRTC it makes the
  same stream's packets itself, and copies, numbers and seals them for everybody, one pass per frame, in the same runs
  and system calls as srs-server: what it costs is what the kernel and AES cost.

## How it is measured

Each server is started by itself, pinned to one core (two where a table says so); the load is on the other cores of the
same machine, and all talk over the loopback interface. A publisher sends H.264 and AAC in form, 600 kbit/s, 25 frames
of video and 43 of audio a second, a keyframe every 2 s, each message in a write of its own, with a counter and the time
in each frame. Two clients come first and go again. Then the clients start evenly, at most a thousand a second. Once all
are there and the warm-up is over, CPU time and memory of the server are read from `/proc` at the beginning and at the
end of the steady part. Players read whatever comes at once; where the command has `--rest-ms`, all but each twentieth
rest so long between their reads, and delay and writes are told by that twentieth. The servers take turns, so that what
else goes on in the machine meets all of them. Everything is measured twice at least, and once more where the CPU time
of the two is far apart. Figures are medians; behind them stands half the range between the least and the greatest, in
percent of the median.

A measurement counts only if every client was let in, stayed to the end, got the whole bitrate and every single frame,
in order and less than 5 s late, and if the load itself had room on its cores. Otherwise it is told as failed, with the
reason. So every row with figures is one whose clients received all.

By WebRTC the stream is H.264 and Opus in RTP of the same bitrate, published by WHIP (to Janus in plain RTP). At most two
hundred clients come a second, each with a handshake, ICE and keys of its own; all count every packet by its number, and
each twentieth opens what it gets and tells the delay.

With two cores for the server on a machine of two, the load shares them. CPU time is then that of the server's threads
alone, as the kernel counts it, whoever runs beside them; the delay includes waiting for the load, and is no property of
the server.

## What the columns mean

- **CPU**: of the server, percent of a core; **ms/s each**: milliseconds of CPU per second for each client; **load**: CPU
  of the load generator, percent of its cores.
- **per core**: how many such clients a core carries at that price. Where a server writes the less often the more
  players there are, that is less than it really carries.
- **against srs-server**: CPU for each client, srs-server's being 1; more is dearer.
- **RSS, PSS each**: KiB of resident memory of the server's process for each client, shared pages in whole or in part,
  beyond what it had after the two first clients had gone: pages of its code, the stream's last GOP and what threads
  need are no memory per client. With a hundred clients and fewer, this is not exact. **in sockets**: KiB in TCP's
  buffers for each client, of the whole machine, and so of both ends, the most of twenty looks a second.
  srs-server bounds what waits for a slow player there to 64 KiB, or one second of the stream where that is more.
- **p50**, **p99**: milliseconds from the publisher's write to the player's read.
- **writes/s**: how often the server wrote to each client. `≥` where the system doesn't count its kind of writes: then it
  is how often a client found something to read.
- **calls/packet**: system calls of the server for each RTP packet that it takes or sends, receiving included, as `perf`
  counts them for a second behind the steady part.
- **all received**: the share of the stream's bitrate that the client got that got least. Keyframes are large: it may be
  a bit less or more than 100 %, by where they fall.

## What to keep in mind

- Loopback has no network card, no loss and no distance: each write costs the sender most of what the receiver's kernel
  does too. On a network, merged writes gain more, for a packet costs more there.
- The cores may be virtual, and their neighbours busy: compare rows of one table, not of different days.
- The machine's congestion control matters. BBR paces what is sent, by a timer for each connection; CUBIC, the default of most systems,
  does not. It is the same for all servers of a page, and named in its head.
- 600 kbit/s is a low bitrate, chosen so that the number of clients costs, not the number of bytes. With more bits each
  client costs more on all servers, and their ratios come nearer to 1.
- Players here are ideal: they read at once, and never stall.
";

/// Behind the tables.
const ANEW: &str = "\
## To measure anew

On a Linux machine of two cores or more with nothing else to do:

```sh
cargo build --release -p srs-server -p examples
target/release/load report            # three quarters of an hour with nginx-rtmp and Janus
target/release/load report --quick    # minutes: the rough picture
```

What is installed of the other servers is measured too. Each measurement is kept in a JSON file beside the page: a run
that was broken off goes on where it was, `--only rtmp-play-350,join` measures some of it, and `--again` replaces what is
there.
";

/// The page; `chart` is the name of the picture beside it.
pub(super) fn render(data: &Data, chart: &str) -> String {
    let mut page = String::from("# Performance\n\n");
    let about = &data.about;
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "| {name} | {value} |");
        }
    };
    fact("measured", &about.date);
    fact("---", "---");
    fact("commit", &about.commit);
    let machine = format!("{}, {} cores, {:.1} GiB", about.cpu, about.cores, about.memory_gib);
    fact("machine", &machine);
    fact("kernel", &about.kernel);
    fact("congestion control", &about.congestion);
    for (server, version) in &about.versions {
        fact(server, version);
    }
    fact("last command", &format!("`load {}`", about.command));
    let _ = writeln!(page, "\n![Clients that a core carries]({chart})\n");
    page.push_str(INTRODUCTION);
    wanted(&mut page, data);
    for group in groups(data) {
        let _ = writeln!(page, "\n## {}\n", group.title);
        let rows = rows(data, group);
        match group.kind {
            Kind::RtcPlay { cores, .. } => rtc::play(&mut page, cores, &rows),
            Kind::RtcPublish => rtc::publish(&mut page, &rows),
            Kind::RtcJoin => rtc::join(&mut page, &rows),
            Kind::RtcRounds => rtc::rounds(&mut page, &rows),
            Kind::RtmpPlay(_) | Kind::FlvPlay(_) | Kind::TwoCores => play(&mut page, group, &rows),
            Kind::RtmpPublish => publish(&mut page, &rows),
            Kind::Join => join(&mut page, &rows),
            Kind::Shrink => shrink(&mut page, &rows),
        }
    }
    page.push('\n');
    page.push_str(MEASURE);
    page.push('\n');
    page.push_str(ANEW);
    page
}

/// What is to be reached, beside what is.
fn wanted(page: &mut String, data: &Data) {
    page.push_str("\n## Goals\n\n| what | goal | reached | met |\n|---|---|---|---|\n");
    for goal in goals(data) {
        let (reached, met) = match goal.reached {
            Some((reached, true)) => (reached, "yes"),
            Some((reached, false)) => (reached, "**no**"),
            None => (dash(), "not measured"),
        };
        let _ = writeln!(page, "| {} | {} | {reached} | {met} |", goal.what, goal.wanted);
    }
}

fn head(page: &mut String, columns: &[&str]) {
    let _ = writeln!(page, "| {} |", columns.join(" | "));
    // The second is the server's name.
    let rule: Vec<_> =
        (0..columns.len()).map(|column| if column == 1 { "---" } else { "---:" }).collect();
    let _ = writeln!(page, "|{}|", rule.join("|"));
}

/// A row, with the clients and the server before the other cells; what failed altogether has none.
fn line(page: &mut String, row: &Row<'_>, columns: usize, cells: impl FnOnce() -> Vec<String>) {
    let Row { clients, server, failed, fault, .. } = row;
    let mut name = (*server).to_owned();
    let cells = match row.example() {
        Some(_) => cells(),
        None => {
            let _ = write!(name, ": failed, {}", fault.unwrap_or("for no reason known"));
            vec!["–".to_owned(); columns - 2]
        }
    };
    if *failed > 0 && row.example().is_some() {
        let _ = write!(name, " ({failed} failed)");
    }
    let _ = writeln!(page, "| {} | {name} | {} |", thousands((*clients).into()), cells.join(" | "));
}

fn play(page: &mut String, group: &Group, rows: &[Row<'_>]) {
    let mut columns = vec![
        "players",
        "server",
        "CPU %",
        "ms/s each",
        "per core",
        "against srs-server",
        "RSS KiB each",
        "PSS KiB each",
        "KiB in sockets",
        "p50 ms",
        "p99 ms",
        "writes/s",
        "load %",
        "all received",
    ];
    let is_hot = group.kind == Kind::TwoCores;
    if is_hot {
        columns.push("CPU % by thread");
    }
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells = cpu(row, rows);
            cells.extend(memory(row));
            cells.extend(latency(row, |one| {
                one.latency_ms.map(|latency| (latency.p50, latency.p99))
            }));
            cells.push(writes(row));
            cells.extend(load(row));
            if is_hot {
                cells.push(threads(row));
            }
            cells
        });
    }
}

fn threads(row: &Row<'_>) -> String {
    let threads = row.example().map_or(&[][..], |one| &one.threads);
    let threads = threads.iter().map(|(name, cpu)| format!("{name} {cpu:.0}"));
    threads.collect::<Vec<_>>().join(", ")
}

fn publish(page: &mut String, rows: &[Row<'_>]) {
    let columns = [
        "publishers",
        "server",
        "CPU %",
        "ms/s each",
        "per core",
        "against srs-server",
        "RSS KiB each",
        "PSS KiB each",
        "KiB in sockets",
        "load %",
        "all sent",
    ];
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells = cpu(row, rows);
            cells.extend(memory(row));
            cells.extend(load(row));
            cells
        });
    }
}

fn join(page: &mut String, rows: &[Row<'_>]) {
    page.push_str(
        "A hundred more players come within a second: from `play` to the first keyframe, ms.\n\n",
    );
    let columns = ["players", "server", "CPU % before", "p50 ms", "p99 ms"];
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells = vec![figure(row.cpu(), 1)];
            cells.extend(latency(row, |one| one.join_ms.map(|join| (join.p50, join.p99))));
            cells
        });
    }
}

fn shrink(page: &mut String, rows: &[Row<'_>]) {
    page.push_str(
        "What 20 players see while so many others play, and 5 s after those have gone: how fast \
         the window of merged writes\nshrinks back.\n\n",
    );
    let columns =
        ["players", "server", "CPU %", "p50 ms", "p99 ms", "p50 ms after", "p99 ms after"];
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells = vec![figure(row.cpu(), 1)];
            cells.extend(latency(row, |one| {
                one.latency_ms.map(|latency| (latency.p50, latency.p99))
            }));
            cells.extend(latency(row, |one| one.after_ms.map(|after| (after.p50, after.p99))));
            cells
        });
    }
}

fn cpu(row: &Row<'_>, rows: &[Row<'_>]) -> Vec<String> {
    let ours = rows
        .iter()
        .find(|one| one.clients == row.clients && one.server == Server::Ours.name())
        .and_then(Row::cpu_ms)
        .filter(|ours| ours.median > 0.0);
    let ratio = row.cpu_ms().zip(ours).map(|(theirs, ours)| theirs.median / ours.median);
    vec![
        figure(row.cpu(), 1),
        figure(row.cpu_ms(), 3),
        row.per_core().map_or_else(dash, |count| thousands(count as u64)),
        ratio.map_or_else(dash, |ratio| format!("{ratio:.2}")),
    ]
}

fn memory(row: &Row<'_>) -> [String; 3] {
    [
        figure(row.rss(), 1),
        figure(row.figure(|one| Some(one.pss_kib)), 1),
        figure(row.figure(|one| Some(one.socket_kib)), 1),
    ]
}

/// What the load took, and whether its clients got (or sent) all.
fn load(row: &Row<'_>) -> [String; 2] {
    let load = row.figure(|one| Some(one.load_cpu));
    let share = row.figure(|one| (one.share > 0.0).then_some(one.share * 100.0));
    [
        load.map_or_else(dash, |load| format!("{:.0}", load.median)),
        share.map_or_else(dash, |share| format!("yes, {:.0} %", share.min)),
    ]
}

fn latency(row: &Row<'_>, of: impl Fn(&Measurement) -> Option<(f64, f64)>) -> [String; 2] {
    [
        figure(row.figure(|one| of(one).map(|(p50, _)| p50)), 1),
        figure(row.figure(|one| of(one).map(|(_, p99)| p99)), 1),
    ]
}

fn writes(row: &Row<'_>) -> String {
    match row.writes() {
        Some((writes, true)) => format!("{writes:.1}"),
        Some((reads, false)) => format!("≥ {reads:.1}"),
        None => dash(),
    }
}

fn figure(figure: Option<Figure>, digits: usize) -> String {
    let Some(figure) = figure else { return dash() };
    match figure.spread() {
        Some(spread) => format!("{:.digits$} ± {spread:.0} %", figure.median),
        None => format!("{:.digits$}", figure.median),
    }
}

fn dash() -> String {
    "–".to_owned()
}

/// With a comma at each thousand.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{histogram::Percentiles, report::case::GROUPS};

    fn measurement(group: &str, server: &str, repeat: u32, cpu: f64) -> Measurement {
        let percentiles = Percentiles { count: 1, p50: 1.25, p99: 7.0, max: 9.0 };
        Measurement {
            group: group.into(),
            server: server.into(),
            clients: 1000,
            repeat,
            cpu,
            writes: 68.0,
            reads: 60.0,
            load_cpu: 30.0,
            share: 0.994,
            latency_ms: Some(percentiles),
            ..Measurement::default()
        }
    }

    #[test]
    fn a_row_has_medians_spreads_and_ratios() {
        let mut data = Data::default();
        for (repeat, cpu) in [(0, 20.0), (1, 22.0), (2, 21.0)] {
            data.add(measurement("rtmp-play-0", "srs-server", repeat, cpu));
        }
        data.add(Measurement { writes: 0.1, ..measurement("rtmp-play-0", "nginx-rtmp", 0, 42.0) });
        let failed = measurement("rtmp-play-0", "limit", 0, 1.0);
        data.add(Measurement { faults: vec!["3 gaps".into()], ..failed });
        let page = render(&data, "chart.svg");
        let lines: Vec<_> = page.lines().filter(|line| line.starts_with("| 1,000")).collect();
        assert_eq!(
            lines,
            [
                "| 1,000 | srs-server | 21.0 ± 5 % | 0.210 ± 5 % | 4,761 | 1.00 | 0.0 | 0.0 | 0.0 \
                 | 1.2 ± 0 % | 7.0 ± 0 % | 68.0 | 30 | yes, 99 % |",
                "| 1,000 | nginx-rtmp | 42.0 | 0.420 | 2,380 | 2.00 | 0.0 | 0.0 | 0.0 | 1.2 | 7.0 | ≥ 60.0 \
                 | 30 | yes, 99 % |",
                "| 1,000 | limit: failed, 3 gaps | – | – | – | – | – | – | – | – | – | – | – | – |",
            ]
        );
        assert!(page.contains("(chart.svg)"));
    }

    #[test]
    fn goals_are_met_missed_or_not_measured() {
        let mut data = Data::default();
        data.add(measurement("rtmp-play-40", "srs-server", 0, 20.0));
        data.add(measurement("rtmp-play-40", "limit", 0, 19.0));
        data.add(measurement("rtmp-play-0", "nginx-rtmp", 0, 30.0));
        let page = render(&data, "chart.svg");
        let line = |start: &str| page.lines().find(|line| line.starts_with(start)).unwrap();
        assert!(line("| RTMP play merged for 40 ms: CPU").ends_with("| 1.05 | yes |"));
        assert!(line("| RTMP play merged for 40 ms: players").ends_with("| 1.50 | **no** |"));
        assert!(line("| RTMP play merged for 350 ms: CPU").ends_with("| – | not measured |"));
    }

    #[test]
    fn every_table_is_a_table() {
        let mut data = Data::default();
        for group in GROUPS {
            data.add(measurement(group.name, "srs-server", 0, 10.0));
        }
        let page = render(&data, "chart.svg");
        let mut tables = 0;
        let lines: Vec<_> = page.lines().collect();
        for lines in lines.windows(3).filter(|lines| lines[1].starts_with("|---:|---|")) {
            let cells = |line: &str| line.matches('|').count();
            assert_eq!(cells(lines[0]), cells(lines[1]), "{lines:?}");
            assert_eq!(cells(lines[0]), cells(lines[2]), "{lines:?}");
            tables += 1;
        }
        assert_eq!(tables, GROUPS.len());
    }

    #[test]
    fn numbers_have_commas() {
        let texts = [7, 1000, 26_123, 1_234_567].map(thousands);
        assert_eq!(texts, ["7", "1,000", "26,123", "1,234,567"]);
    }
}
