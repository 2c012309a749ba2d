//! The tables of WebRTC.

use super::{cpu, dash, figure, head, latency, line, load, thousands, threads};
use crate::report::{case::ROUNDS, table::Row};

pub(super) fn play(page: &mut String, cores: usize, rows: &[Row<'_>]) {
    let mut columns = vec![
        "players",
        "server",
        "CPU %",
        "ms/s each",
        "per core",
        "against srs-server",
        "RSS KiB each",
        "p50 ms",
        "p99 ms",
        "calls/packet",
        "load %",
        "all received",
    ];
    let is_hot = cores > 1;
    if is_hot {
        columns.push("CPU % by thread");
    }
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells = cpu(row, rows);
            cells.push(figure(row.rss(), 1));
            cells.extend(latency(row, |one| {
                one.latency_ms.map(|latency| (latency.p50, latency.p99))
            }));
            cells.push(figure(row.figure(|one| one.calls), 3));
            cells.extend(load(row));
            if is_hot {
                cells.push(threads(row));
            }
            cells
        });
    }
}

pub(super) fn publish(page: &mut String, rows: &[Row<'_>]) {
    let columns = [
        "publishers",
        "server",
        "CPU %",
        "ms/s each",
        "per core",
        "against srs-server",
        "RSS KiB each",
        "load %",
        "all sent",
    ];
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells = cpu(row, rows);
            cells.push(figure(row.rss(), 1));
            cells.extend(load(row));
            cells
        });
    }
}

pub(super) fn join(page: &mut String, rows: &[Row<'_>]) {
    page.push_str(
        "Further players come evenly for 4 s: from the connection for the request to the keys of the \
         media, ms. Those\nwho were there before lose nothing.\n\n",
    );
    let columns = ["players", "server", "CPU % before", "joins/s", "p50 ms", "p99 ms"];
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let mut cells =
                vec![figure(row.cpu(), 1), figure(row.figure(|one| Some(one.joins)), 0)];
            cells.extend(latency(row, |one| one.join_ms.map(|join| (join.p50, join.p99))));
            cells
        });
    }
}

pub(super) fn rounds(page: &mut String, rows: &[Row<'_>]) {
    page.push_str(
        "All players come, play for a second and go: resident memory of the server once they have \
         gone.\n\n",
    );
    let columns = ["players", "server", "MiB after round 1", "2", "5", "10"];
    head(page, &columns);
    for row in rows {
        line(page, row, columns.len(), || {
            let after = |round: usize| {
                let kib = row.figure(|one| one.rounds_kib.get(round - 1).map(|kib| *kib as f64));
                kib.map_or_else(dash, |kib| thousands((kib.median / 1024.0).round() as u64))
            };
            [1, 2, 5, ROUNDS].map(after).to_vec()
        });
    }
}
