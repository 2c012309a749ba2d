//! The page, in Markdown.

use std::fmt::Write as _;

use super::{
    case::{Group, Kind},
    data::{Data, Measurement},
    server::Server,
    table::{Figure, Row, groups, rows},
};

const MEASURE: &str = "\
## How it is measured

`load report` starts each server by itself, pinned to one core (two where a table says so), and puts the load on the
other cores of the same machine; all talk over the loopback interface. A publisher sends H.264 and AAC in form, 600
kbit/s, 25 frames of video and 43 of audio a second, a keyframe every 2 s, each message in a write of its own, with a
counter and the time in each frame. The clients start evenly, at most a thousand a second. Once all are there and the
warm-up is over, CPU time and memory of the server are read from `/proc` at the beginning and at the end of the steady
part. Players read whatever comes at once; where the command has `--rest-ms`, all but each twentieth rest so long
between their reads, and delay and writes are told by that twentieth. The servers take turns, so that what else goes on
in the machine meets all of them. Figures are medians; behind them stands half the range between the least and the
greatest, in percent of the median.

A measurement counts only if every client was let in, stayed to the end, got the whole bitrate and every single frame,
in order and less than 5 s late, and if the load itself had room on its cores. Otherwise it is told as failed, with the
reason.

`limit` is no server but the bound for one: a loop that writes the same bytes, made once, to everybody, one write per
player and window, and reads and drops what is published. What it costs is what the kernel costs.

- **CPU**: of the server, percent of a core; **ms/s each**: milliseconds of CPU per second for each client.
- **per core**: how many such clients a core carries at that price. Where a server writes the less often the more
  players there are, that is less than it really carries.
- **against srs-server**: CPU for each client, srs-server's being 1; more is dearer.
- **KiB each**: resident memory of the server's process beyond that without clients, for each client; **in sockets**:
  the memory of all TCP sockets of the machine, that is of both ends.
- **p50**, **p99**: milliseconds from the publisher's write to the player's read.
- **writes/s**: how often the server wrote to each client. `≥` where the system doesn't count its kind of writes: then it
  is how often a client found something to read.
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
    for (server, version) in &about.versions {
        fact(server, version);
    }
    fact("command", &format!("`load {}`", about.command));
    let _ = writeln!(page, "\n![Clients that a core carries]({chart})\n");
    page.push_str(
        "To measure anew, on a machine with nothing else to do: build by \
         `cargo build --release -p srs-server -p examples`,\nthen run `target/release/load report`; \
         `--quick` takes minutes and tells the rough picture. What is installed of the\nother \
         servers is measured too. A run that was broken off goes on where it was.\n",
    );
    for group in groups(data) {
        let _ = writeln!(page, "\n## {}\n", group.title);
        let rows = rows(data, group);
        match group.kind {
            Kind::RtmpPlay(_) | Kind::FlvPlay(_) | Kind::TwoCores => play(&mut page, group, &rows),
            Kind::RtmpPublish => publish(&mut page, &rows),
            Kind::Join => join(&mut page, &rows),
            Kind::Shrink => shrink(&mut page, &rows),
        }
    }
    page.push('\n');
    page.push_str(MEASURE);
    page
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
        "KiB each",
        "in sockets",
        "p50 ms",
        "p99 ms",
        "writes/s",
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
            if is_hot {
                let threads = row.example().map_or(&[][..], |one| &one.threads);
                let threads = threads.iter().map(|(name, cpu)| format!("{name} {cpu:.0}"));
                cells.push(threads.collect::<Vec<_>>().join(", "));
            }
            cells
        });
    }
}

fn publish(page: &mut String, rows: &[Row<'_>]) {
    let columns = [
        "publishers",
        "server",
        "CPU %",
        "ms/s each",
        "per core",
        "against srs-server",
        "KiB each",
        "in sockets",
    ];
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells = cpu(row, rows);
            cells.extend(memory(row));
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

fn memory(row: &Row<'_>) -> [String; 2] {
    [
        figure(row.figure(|one| Some(one.rss_kib)), 1),
        figure(row.figure(|one| Some(one.socket_kib)), 1),
    ]
}

fn latency(row: &Row<'_>, of: impl Fn(&Measurement) -> Option<(f64, f64)>) -> [String; 2] {
    [
        figure(row.figure(|one| of(one).map(|(p50, _)| p50)), 1),
        figure(row.figure(|one| of(one).map(|(_, p99)| p99)), 1),
    ]
}

fn writes(row: &Row<'_>) -> String {
    let writes = row.figure(|one| Some(one.writes)).map_or(0.0, |writes| writes.median);
    let reads = row.figure(|one| Some(one.reads)).map_or(0.0, |reads| reads.median);
    // What a server writes by other calls than to players is far less than that.
    match writes * 2.0 > reads {
        true => format!("{writes:.1}"),
        false => format!("≥ {reads:.1}"),
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
                "| 1,000 | srs-server | 21.0 ± 5 % | 0.210 ± 5 % | 4,761 | 1.00 | 0.0 | 0.0 \
                 | 1.2 ± 0 % | 7.0 ± 0 % | 68.0 |",
                "| 1,000 | nginx-rtmp | 42.0 | 0.420 | 2,380 | 2.00 | 0.0 | 0.0 | 1.2 | 7.0 | ≥ 60.0 |",
                "| 1,000 | limit: failed, 3 gaps | – | – | – | – | – | – | – | – | – |",
            ]
        );
        assert!(page.contains("(chart.svg)"));
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
